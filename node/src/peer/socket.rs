//! Sockets between nodes: where they may lead, and how soon the kernel gives up on a dead one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::Settings;
use crate::problem::{Code, Problem};

/// What is sent and not acknowledged for so long ends the connection (the kernel's own limit is a quarter of an hour).
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Listens where the settings say, if that is allowed.
pub(super) async fn listen(settings: &Settings) -> Result<TcpListener, Problem> {
    let address = settings.listen;
    let what = format!("cannot listen for other nodes on {address}");
    if settings.tls.is_none() && !is_local(address.ip()) {
        let why = "without TLS anybody on the network could speak as a node";
        return Err(Problem::new(Code::PeerOpen, what, why)
            .remedy("give listen.peer.tls: { cert, key, ca }")
            .remedy(format!("or, on one machine only, listen on 127.0.0.1:{}", address.port())));
    }
    TcpListener::bind(address).await.map_err(|why| {
        Problem::new(Code::AddressTaken, what, why.to_string())
            .remedy("stop the other process, or give listen.peer.addr another port")
    })
}

/// Whether only this machine can be at the other end.
pub(super) fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The first address of `host:port`, the name being looked up.
pub(super) async fn resolve(address: &super::Address) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host(address.as_str()).await?.collect())
}

/// Makes a dead connection noticed soon; without effect where the system has no such option.
pub(super) fn tune(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(2))
        .with_interval(Duration::from_secs(1))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok(())
}
