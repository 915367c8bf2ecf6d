//! A TCP proxy before a server, which cuts connections in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A proxy; it and its connections end when it is dropped.
pub struct Proxy {
    port: u16,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    cuts: AtomicUsize,
    passed: AtomicUsize,
}

impl Proxy {
    /// A proxy before a port of this machine. Of the connections that come, each lives until as many bytes have passed, both
    /// ways together, as `budgets` gives for it; those behind its end live on.
    pub async fn start(server: u16, budgets: impl Iterator<Item = usize> + Send + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(accept(listener, server, budgets, counts.clone()));
        Proxy { port, counts, task }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections it has cut.
    pub fn cuts(&self) -> usize {
        self.counts.cuts.load(Ordering::Relaxed)
    }

    /// How many bytes have passed, both ways together.
    pub fn passed(&self) -> usize {
        self.counts.passed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: u16,
    mut budgets: impl Iterator<Item = usize>,
    counts: Arc<Counts>,
) {
    // Dropped with this task, and all connections with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (budget, counts) = (budgets.next().unwrap_or(usize::MAX), counts.clone());
        connections.spawn(async move {
            // A server that is not there is a connection that ends at once.
            if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await
                && pass(client, server, budget, &counts.passed).await
            {
                counts.cuts.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// Whether the connection ended because its budget was spent.
async fn pass(mut client: TcpStream, mut server: TcpStream, mut budget: usize, count: &AtomicUsize) -> bool {
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    while budget > 0 {
        let (bytes, to) = tokio::select! {
            read = client.read(&mut up) => (up.get(..read.unwrap_or(0)), &mut server),
            read = server.read(&mut down) => (down.get(..read.unwrap_or(0)), &mut client),
        };
        let bytes = bytes.unwrap_or_default();
        let passed = bytes.len().min(budget);
        if passed == 0 || to.write_all(&bytes[..passed]).await.is_err() {
            return false;
        }
        budget -= passed;
        count.fetch_add(passed, Ordering::Relaxed);
    }
    true
}
