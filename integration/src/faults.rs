//! What stands between the program and an S3-compatible server, and does to requests what networks and busy servers do.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What may be done to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It never arrives: the connection is cut.
    Cut,
    /// The server says that it is busy, and has done nothing.
    Busy,
    /// It takes effect, and the connection is cut before the answer.
    LostAnswer,
    /// It takes effect, and the server says that it is busy.
    BusyAfter,
    /// A create is told that another was quicker, though there is none: S3 says so of races.
    Conflict,
    /// Half of the answer comes, then the connection is cut.
    HalfAnswer,
    /// It is late.
    Slow,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::Cut,
        Self::Busy,
        Self::LostAnswer,
        Self::BusyAfter,
        Self::Conflict,
        Self::HalfAnswer,
        Self::Slow,
    ];
}

/// A slow request is so late at most.
const LATE_MS: u64 = 400;
/// No head of a request or an answer is larger.
const MAX_HEAD: usize = 64 << 10;
const CONFLICT: &str = "HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 57\r\n\r\n\
                        <Error><Code>ConditionalRequestConflict</Code></Error>   ";
const DONE: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\netag: \"1\"\r\ncontent-length: 0\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 39\r\n\r\n\
                    <Error><Code>SlowDown</Code></Error>   ";

/// A proxy that forwards requests to a port of this machine, but for those that it is unkind to.
#[derive(Debug)]
pub struct Faults {
    port: u16,
    counts: Arc<Counts>,
    // It ends with this value.
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Counts {
    requests: AtomicU64,
    largest: AtomicU64,
    faults: [AtomicU64; Fault::ALL.len()],
    random: Mutex<SmallRng>,
    percent: AtomicU64,
    lies: AtomicBool,
}

impl Faults {
    /// Listens, and does something to `percent` of the requests to `server`, drawn from `seed`.
    ///
    /// # Errors
    ///
    /// Where no port is free.
    pub async fn before(server: u16, percent: u64, seed: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen")?;
        let port = listener.local_addr().context("listen")?.port();
        let counts = Arc::new(Counts {
            requests: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            faults: Default::default(),
            random: Mutex::new(SmallRng::seed_from_u64(seed)),
            percent: AtomicU64::new(percent),
            lies: AtomicBool::new(false),
        });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, server, Arc::clone(&counts)));
        Ok(Self { port, counts, _serving: serving })
    }

    /// What to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on something is done to `percent` of the requests.
    pub fn set(&self, percent: u64) {
        self.counts.percent.store(percent, Ordering::Relaxed);
    }

    /// From now on a create of what exists is answered as if it had been done, as a server answers that does not
    /// know the condition.
    pub fn lie(&self) {
        self.counts.lies.store(true, Ordering::Relaxed);
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// The bytes of the largest request's body.
    #[must_use]
    pub fn largest_bytes(&self) -> u64 {
        self.counts.largest.load(Ordering::Relaxed)
    }

    /// How often `fault` was done.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.counts.faults[fault as usize].load(Ordering::Relaxed)
    }
}

impl Counts {
    fn draw(&self, is_create: bool) -> Option<Fault> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if random.random_range(0..100) >= self.percent.load(Ordering::Relaxed) {
            return None;
        }
        let fault = Fault::ALL[random.random_range(0..Fault::ALL.len())];
        let fault = if fault == Fault::Conflict && !is_create { Fault::Busy } else { fault };
        self.faults[fault as usize].fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }

    fn late(&self) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_millis(random.random_range(1..LATE_MS))
    }
}

/// Until it is dropped, with all connections that are open then.
async fn serve(listener: TcpListener, server: u16, counts: Arc<Counts>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    open.spawn(one(client, server, Arc::clone(&counts)));
                }
            }
            Some(_) = open.join_next() => {}
        }
    }
}

/// One request; then the connection is closed, so that each fault hits one alone.
async fn one(mut client: TcpStream, server: u16, counts: Arc<Counts>) -> io::Result<()> {
    let request = read_request(&mut client).await?;
    counts.largest.fetch_max(request.body.len() as u64, Ordering::Relaxed);
    let head = request.head.to_ascii_lowercase();
    let fault = counts.draw(head.starts_with("put ") && head.contains("\r\nif-none-match:"));
    match fault {
        Some(Fault::Cut) => return Ok(()),
        Some(Fault::Busy) => return client.write_all(BUSY.as_bytes()).await,
        Some(Fault::Conflict) => return client.write_all(CONFLICT.as_bytes()).await,
        Some(Fault::Slow) => tokio::time::sleep(counts.late()).await,
        Some(Fault::LostAnswer | Fault::BusyAfter | Fault::HalfAnswer) | None => {}
    }
    let answer = forward(server, &request).await?;
    if answer.starts_with(b"HTTP/1.1 412") && counts.lies.load(Ordering::Relaxed) {
        return client.write_all(DONE.as_bytes()).await;
    }
    match fault {
        Some(Fault::LostAnswer) => Ok(()),
        Some(Fault::BusyAfter) => client.write_all(BUSY.as_bytes()).await,
        Some(Fault::HalfAnswer) => client.write_all(&answer[..answer.len() / 2]).await,
        Some(Fault::Cut | Fault::Busy | Fault::Conflict | Fault::Slow) | None => {
            client.write_all(&answer).await
        }
    }
}

struct Request {
    head: String,
    body: Vec<u8>,
}

async fn read_request(client: &mut TcpStream) -> io::Result<Request> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            break at;
        }
        if client.read_buf(&mut read).await? == 0 || read.len() > MAX_HEAD {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = read.split_off(end + 4);
    read.truncate(end);
    let head = String::from_utf8_lossy(&read).into_owned();
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    while body.len() < length {
        if client.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Request { head, body })
}

/// The server's whole answer. What is signed is passed on as it is; how long a connection lives is not signed.
async fn forward(server: u16, request: &Request) -> io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).await?;
    let head = format!("{}\r\nconnection: close\r\n\r\n", request.head);
    upstream.write_all(head.as_bytes()).await?;
    upstream.write_all(&request.body).await?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await?;
    Ok(answer)
}
