//! What Linux says of a running process: CPU time with its children's, threads, resident memory, open ports.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// A process whose use of the machine is watched.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    pid: u32,
}

/// The names (with thread counts) of a process's threads and their CPU seconds.
pub type ThreadTimes = BTreeMap<String, f64>;

impl Watched {
    /// Watches the process with this id.
    pub fn pid(pid: u32) -> Self {
        Self { pid }
    }

    /// Watches this very process.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// Finds the local process that listens on a TCP port.
    pub fn listening_on(port: u16) -> io::Result<Self> {
        let inode = listening_inode(port)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("nothing local listens on port {port}"))
        })?;
        let wanted = format!("socket:[{inode}]");
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let Ok(files) = fs::read_dir(entry.path().join("fd")) else { continue };
            let held = |file: fs::DirEntry| {
                fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == &*wanted)
            };
            if files.flatten().any(held) {
                return Ok(Self { pid });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the process on port {port} is not visible"),
        ))
    }

    /// The id of the watched process.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// CPU seconds used so far, user and system, with those of children that ended and of children that run.
    pub fn cpu_seconds(&self) -> f64 {
        let mut total = cpu_of(&format!("/proc/{}/stat", self.pid), true).unwrap_or(0.0);
        for child in self.children() {
            total += Watched::pid(child).cpu_seconds();
        }
        total
    }

    /// CPU seconds by thread name; numbered threads of a pool (`worker-3`) count together.
    pub fn thread_times(&self) -> ThreadTimes {
        let mut times = ThreadTimes::new();
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return times };
        for task in tasks.flatten() {
            let path = task.path();
            let (Ok(name), Some(seconds)) =
                (fs::read_to_string(path.join("comm")), cpu_of(&path.join("stat").to_string_lossy(), false))
            else {
                continue;
            };
            let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '#');
            *times.entry(name.to_owned()).or_default() += seconds;
        }
        times
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        self.status_mib("VmRSS:")
    }

    /// The most resident memory in MiB since the process started, or since [`Watched::forget_peak`].
    pub fn peak_mib(&self) -> f64 {
        self.status_mib("VmHWM:")
    }

    /// Makes [`Watched::peak_mib`] begin anew.
    pub fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.pid), "5")
    }

    fn status_mib(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }

    fn children(&self) -> Vec<u32> {
        let mut found = Vec::new();
        if let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid)) {
            for task in tasks.flatten() {
                let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                found.extend(text.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            }
        }
        found
    }
}

/// Raises the limit of open files to what the system allows, and says how many that is.
pub fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Fields 14 to 17 of a `stat` file are the ticks of CPU: user, system, and the same of reaped children.
fn cpu_of(path: &str, with_children: bool) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let after_name = &text[text.rfind(')')? + 2..];
    let fields: Vec<u64> =
        after_name.split(' ').skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    let ticks: u64 = fields.iter().take(if with_children { 4 } else { 2 }).sum();
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn listening_inode(port: u16) -> io::Result<Option<u64>> {
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, ..] = fields[..] else { continue };
            let local_port = local.rsplit(':').next().and_then(|hex| u16::from_str_radix(hex, 16).ok());
            if state == "0A" && local_port == Some(port) {
                return Ok(fields.get(9).and_then(|inode| inode.parse().ok()));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn finds_the_process_behind_a_port_and_its_cpu() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Watched::listening_on(listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(found.id(), std::process::id());
        let before = found.cpu_seconds();
        let mut sum = 0u64;
        while found.cpu_seconds() < before + 0.05 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(found.resident_mib() > 0.5);
        assert!(!found.thread_times().is_empty());
    }
}
