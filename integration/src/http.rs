//! Plain HTTP to what runs on this machine.

use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The whole answer, head and body, to a plain HTTP GET on the loopback address.
///
/// # Errors
///
/// Where nobody listens, or the answer breaks off or takes over 2 s.
pub async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.context("ask")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.context("read the answer")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(Duration::from_secs(2), exchange).await.context("wait for the answer")?
}

/// Whether an answer of [`get`] is a 200.
#[must_use]
pub fn is_ok(answer: &str) -> bool {
    answer.split(' ').nth(1) == Some("200")
}
