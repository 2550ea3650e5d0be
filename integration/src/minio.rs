//! A real S3-compatible server of a test's own: started in a folder that is thrown away, killed and started again at will.

use std::time::Duration;

use actors::journal::fitness;
use actors::journal::remote::{Bucket, Keys, open_bucket};
use anyhow::Context as _;
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, script};

/// The server answers within a second; compiling it, where nobody has, takes minutes.
const PATIENCE: Duration = Duration::from_secs(900);
const ATTEMPTS: usize = 3;

/// One server with one bucket, listening on the loopback address only. It ends with this value.
#[derive(Debug)]
pub struct Minio {
    // Before the folder, so that the process is gone when the folder goes.
    process: Process,
    port: u16,
    folder: TempDir,
}

impl Minio {
    /// Starts a server with an empty bucket, and returns when it answers.
    ///
    /// # Errors
    ///
    /// Where it cannot be compiled, or doesn't come up; quotes its log.
    pub async fn start() -> anyhow::Result<Self> {
        let mut attempt = 1;
        loop {
            let folder = tempfile::tempdir().context("make the server's folder")?;
            let port = ports::free()?;
            let process = launch(&folder, port)?;
            let mut server = Self { process, port, folder };
            match server.wait_up().await {
                Ok(()) => return Ok(server),
                // Somebody else was quicker at the port: that can happen, other faults are ours.
                Err(_) if attempt < ATTEMPTS && server.process.log().contains("in use") => {
                    attempt += 1;
                }
                Err(fault) => return Err(fault.context("start an S3-compatible server")),
            }
        }
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its bucket, under a prefix of the caller's own.
    #[must_use]
    pub fn bucket(&self, prefix: &str) -> Bucket {
        bucket_at(self.port, prefix)
    }

    /// Ends the server as a crash would.
    ///
    /// # Errors
    ///
    /// Where the operating system refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill9().context("kill the server")
    }

    /// Starts the server again on its own data and port, and returns when it answers. One that still
    /// runs is killed before.
    ///
    /// # Errors
    ///
    /// Where it doesn't come up; quotes its log.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.process = launch(&self.folder, self.port)?;
        self.wait_up().await.context("restart the server")
    }

    /// The server's process, to be frozen and thawed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    // A listening socket is not yet a server that serves: that is known when it takes an object.
    async fn wait_up(&mut self) -> anyhow::Result<()> {
        let (port, objects) = (self.port, open_bucket(&self.bucket("up"))?);
        let up = async |_: &mut Process| {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
                && fitness::check(&*objects, actors::clock::nonce()).await.is_ok()
        };
        self.process.wait_until("the server took an object", PATIENCE, up).await
    }
}

/// The bucket of a [`Minio`], reached through `port`: its own, or that of what stands before it.
#[must_use]
pub fn bucket_at(port: u16, prefix: &str) -> Bucket {
    let (access, secret) = ("throughline".to_owned(), "throughline-secret".to_owned());
    Bucket {
        name: "throughline".to_owned(),
        prefix: prefix.to_owned(),
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: "us-east-1".to_owned(),
        keys: Keys { access, secret, session: None },
        allow_http: true,
    }
}

fn launch(folder: &TempDir, port: u16) -> anyhow::Result<Process> {
    let path = folder.path().to_str().context("name the server's folder")?;
    let log = folder.path().join("minio.log");
    Process::start(&script("minio.sh"), &["run", path, &port.to_string()], &log)
}
