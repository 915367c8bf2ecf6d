//! A bare websocket server: the unit that Hull's speed is stated in.
//!
//! `/echo` answers each message with the same message. `/room` joins a room in which a message does what its first
//! letter says: `J<n> ` takes the place number n, `B<text>` hands the text to every other member that has a place,
//! `T<n> <text>` hands it to the member in place n. Each is answered with `ok`, as a mutation would be.
//! Nothing is parsed, stored or synced. The CPU it used is printed when it ends.

use benches::process::{Watched, raise_file_limit};
use clap::Parser;
use futures::{SinkExt, StreamExt};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A bare websocket relay.
#[derive(Parser)]
struct Options {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:3299")]
    listen: SocketAddr,
    /// Bytes of the read buffer of each connection.
    #[arg(long, default_value_t = 4096)]
    read_buffer: usize,
}

static RECEIVED: AtomicU64 = AtomicU64::new(0);
static SENT: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct Room {
    places: Mutex<HashMap<usize, UnboundedSender<Utf8Bytes>>>,
}

impl Room {
    fn places(&self) -> MutexGuard<'_, HashMap<usize, UnboundedSender<Utf8Bytes>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    raise_file_limit();
    let listener = TcpListener::bind(options.listen).await?;
    println!("relay on ws://{}/echo and /room", listener.local_addr()?);
    let room = Arc::new(Room::default());
    let accept = async {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                let room = room.clone();
                tokio::spawn(async move {
                    let _ = serve(stream, room, options.read_buffer).await;
                });
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let (received, sent) = (RECEIVED.load(Ordering::Relaxed), SENT.load(Ordering::Relaxed));
    let seconds = Watched::own().cpu_seconds();
    println!(
        "{received} received, {sent} sent, {seconds:.2} s of CPU, {:.2} us for each one sent",
        seconds * 1e6 / sent.max(1) as f64
    );
    Ok(())
}

async fn serve(stream: TcpStream, room: Arc<Room>, read_buffer: usize) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    #[allow(clippy::result_large_err, reason = "the handshake's callback has this type")]
    let note_path = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(read_buffer);
    let socket = tokio_tungstenite::accept_hdr_async_with_config(stream, note_path, Some(config)).await?;
    if path.ends_with("/room") { in_room(socket, room).await } else { echo(socket).await }
}

async fn echo(mut socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() {
            RECEIVED.fetch_add(1, Ordering::Relaxed);
            socket.send(message).await?;
            SENT.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn in_room(socket: WebSocketStream<TcpStream>, room: Arc<Room>) -> Result<(), Error> {
    let (mut sink, mut stream) = socket.split();
    let (outbox, mut queue) = unbounded_channel::<Utf8Bytes>();
    let writer = tokio::spawn(async move {
        while let Some(text) = queue.recv().await {
            sink.send(Message::Text(text)).await?;
            SENT.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<(), Error>(())
    });
    let mut place = None;
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        RECEIVED.fetch_add(1, Ordering::Relaxed);
        let (head, _) = text.as_str().split_once(' ').unwrap_or((text.as_str(), ""));
        match head.as_bytes().first() {
            Some(b'J') => {
                if let Ok(number) = head[1..].parse() {
                    room.places().insert(number, outbox.clone());
                    place = Some(number);
                }
            }
            Some(b'T') => {
                let target =
                    head[1..].parse::<usize>().ok().and_then(|number| room.places().get(&number).cloned());
                if let Some(target) = target {
                    let _ = target.send(text.clone());
                }
            }
            _ => {
                for (number, member) in room.places().iter() {
                    if Some(*number) != place {
                        let _ = member.send(text.clone());
                    }
                }
            }
        }
        let _ = outbox.send(Utf8Bytes::from_static("ok"));
    }
    if let Some(number) = place {
        room.places().remove(&number);
    }
    drop(outbox);
    let _ = writer.await;
    Ok(())
}
