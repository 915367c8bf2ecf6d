//! A server process of its own for each test: on a free port, on a directory that goes when the test ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running `testbed`.
pub struct Server {
    child: Option<Child>,
    port: u16,
    directory: TempDir,
    args: Vec<String>,
    /// A program that ends by starting the server's, whose command line follows its own.
    wrapper: Vec<String>,
}

impl Server {
    /// Starts it on an empty directory and waits until it answers.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// The same with more arguments.
    pub fn start_with(args: &[&str]) -> Server {
        Server::start_wrapped(&[], args)
    }

    /// The same on a file system of its own, of `mib` MiB, which goes with the process. Its folder as this process sees
    /// it is [`Server::small_disk`].
    pub fn start_on_small_disk(mib: u32) -> Server {
        let mount = format!("mount -t tmpfs -o size={mib}m none \"$HULL_TEST_DISK\" && exec \"$0\" \"$@\"");
        // Whoever isn't root becomes it in a user namespace.
        let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
        Server::start_wrapped(&["unshare", namespaces, "sh", "-c", &mount], &[])
    }

    /// The same in a process that can't make a file longer than `kib` KiB.
    pub fn start_with_short_files(kib: u32) -> Server {
        let limit = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        Server::start_wrapped(&["bash", "-c", &limit], &[])
    }

    fn start_wrapped(wrapper: &[&str], args: &[&str]) -> Server {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut server = Server {
            child: None,
            port: free_port(),
            directory: TempDir::new().unwrap(),
            args: owned(args),
            wrapper: owned(wrapper),
        };
        server.launch();
        server
    }

    /// Starts it again, on the same port and directory.
    pub fn launch(&mut self) {
        std::fs::create_dir_all(self.disk()).unwrap();
        let mut command = testbed();
        if let [program, words @ ..] = &self.wrapper[..] {
            let mut outer = Command::new(program);
            outer.args(words).arg(command.get_program()).env("HULL_TEST_DISK", self.disk());
            command = outer;
        }
        command.args(["--port", &self.port.to_string(), "--data-dir"]).arg(self.data()).args(&self.args);
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        while self.get("/health").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            let over = child.try_wait().unwrap();
            let late = start.elapsed() > Duration::from_secs(60);
            assert!(over.is_none() && !late, "the server does not start ({over:?}): {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.disk().join("data")
    }

    fn disk(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    /// The folder around the data directory, as the process sees it.
    pub fn small_disk(&self) -> PathBuf {
        let inside = self.disk();
        Path::new("/proc")
            .join(self.process_id().to_string())
            .join("root")
            .join(inside.strip_prefix("/").unwrap())
    }

    /// Waits until the process has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.take().unwrap().wait().unwrap()
    }

    /// Everything it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// What it printed, once that holds `word`: it may answer a moment before it has printed its greeting.
    pub fn log_with(&self, word: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if log.contains(word) || start.elapsed() > Duration::from_secs(30) {
                return log;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Kills it without a warning.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to stop and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.take().unwrap().wait().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.process_id() as i32).unwrap(), signal).unwrap();
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Sends a GET request and returns the whole answer, head and body.
    pub fn get(&self, path: &str) -> Option<String> {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    /// Posts JSON and returns the whole answer, head and body.
    pub fn post(&self, path: &str, body: &str) -> Option<String> {
        let length = body.len();
        self.request(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn request(&self, text: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        stream.write_all(text.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
        self.kill();
    }
}

/// The server's program, built beside the test that runs.
pub fn testbed() -> Command {
    program("testbed")
}

/// A program of this package.
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().find(|folder| folder.join(name).is_file());
    Command::new(folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name)))
}

/// Runs a command of the server's program and returns its status and everything it printed.
pub fn run(args: &[&str], data: &Path) -> (ExitStatus, String) {
    let output = testbed().args(args).arg("--data-dir").arg(data).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&text).into_owned())
}

/// A port that is free at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
