//! Dialling another node: a connection, and the proof that it leads to a node of our cluster.

use std::io;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error as TlsError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::count::Refusal;
use super::hello::Refused;
use super::link::Link;
use super::net::Node;
use super::tls::Identity;
use super::{Address, socket};

/// A connection to a node, and whom its certificate names; `None` without TLS.
pub(super) type Dialled = (Link, Option<Identity>);

/// A connection to the node at `to`, for that protocol.
pub(super) fn connect(
    node: &Node,
    to: &Address,
    protocol: &'static [u8],
) -> BoxFuture<'static, Result<Dialled, Refused>> {
    let patience = node.settings.pace.handshake;
    let config = node.certificates.as_ref().map(|it| it.client(protocol));
    let (to, cluster) = (to.clone(), node.settings.cluster.clone());
    async move {
        let dialled = tokio::time::timeout(patience, dial(&to, config, (&cluster, protocol)));
        let late = |_| Refused::new(Refusal::Unreachable, format!("no connection in {patience:?}"));
        dialled.await.map_err(late)?
    }
    .boxed()
}

async fn dial(
    to: &Address,
    config: Option<Arc<ClientConfig>>,
    (cluster, protocol): (&str, &[u8]),
) -> Result<Dialled, Refused> {
    let stream = reach(to, config.is_some()).await?;
    let Some(config) = config else { return Ok((Link::Plain(stream), None)) };
    // The name is not what is checked (see `tls::OfCluster`); it is for what routes connections by it.
    let name = ServerName::try_from(to.host().to_owned());
    let name = name.map_err(|why| Refused::new(Refusal::Unreachable, why.to_string()))?;
    let stream = TlsConnector::from(config).connect(name, stream).await;
    let stream = stream.map_err(|why| explain(&why))?;
    let (_, connection) = stream.get_ref();
    if connection.alpn_protocol() != Some(protocol) {
        return Err(Refused::new(Refusal::Protocol, "it negotiated no protocol"));
    }
    let identity = proven(connection.peer_certificates(), cluster)?;
    Ok((Link::Tls(Box::new(stream.into())), Some(identity)))
}

async fn reach(to: &Address, is_encrypted: bool) -> Result<TcpStream, Refused> {
    let unreachable = |why: &io::Error| Refused::new(Refusal::Unreachable, why.to_string());
    let found = socket::resolve(to).await.map_err(|why| unreachable(&why))?;
    let mut last = Refused::new(Refusal::Unreachable, "the name has no address");
    for address in found {
        if !is_encrypted && !socket::is_local(address.ip()) {
            let why = format!("{} is not on this machine, and there is no TLS", address.ip());
            last = Refused::new(Refusal::NotLoopback, why);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                socket::tune(&stream)?;
                return Ok(stream);
            }
            Err(why) => last = unreachable(&why),
        }
    }
    Err(last)
}

/// Whom the other side's certificate names, if that is a node of our cluster.
pub(super) fn proven(
    certificates: Option<&[CertificateDer<'_>]>,
    cluster: &str,
) -> Result<Identity, Refused> {
    let identity = certificates.and_then(|it| it.first()).and_then(Identity::of);
    let no_node = "its certificate does not have one URI name spiffe://<cluster>/node/<node>";
    let identity = identity.ok_or_else(|| Refused::new(Refusal::Certificate, no_node))?;
    if identity.cluster == cluster {
        return Ok(identity);
    }
    Err(Refused::new(Refusal::Cluster, format!("its certificate is for {identity}")))
}

/// What a failed handshake was about.
pub(super) fn explain(error: &io::Error) -> Refused {
    let tls = error.get_ref().and_then(|it| it.downcast_ref::<TlsError>());
    let Some(tls) = tls else { return Refused::new(Refusal::HungUp, error.to_string()) };
    #[allow(clippy::wildcard_enum_match_arm, reason = "the library's enums, which grow")]
    let reason = match tls {
        TlsError::InvalidCertificate(why) => match why {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Refusal::Expired,
            // The verifier's own word for a name outside of our cluster.
            CertificateError::NotValidForName => Refusal::Cluster,
            _ => Refusal::Certificate,
        },
        TlsError::NoCertificatesPresented => Refusal::Certificate,
        TlsError::InvalidMessage(_) => Refusal::NotTls,
        TlsError::AlertReceived(_) => Refusal::ByPeer,
        _ => Refusal::Protocol,
    };
    Refused::new(reason, tls.to_string())
}
