//! `listen`: where the node serves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::diagnostic::Code;
use super::report::Finding;
use super::rules;
use super::section::Section;
use crate::peer::{Address, TlsFiles};

/// Where the node serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// gRPC, gRPC-Web, the dashboard and `/healthz`.
    pub public: SocketAddr,
    /// The cluster's other nodes. `None`: there are none.
    pub peer: Option<PeerPort>,
    /// Metrics, in Prometheus's format.
    pub metrics: SocketAddr,
}

/// Where other nodes reach this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerPort {
    /// The address.
    pub addr: SocketAddr,
    /// What other nodes are told to dial, `host:port`; `None`: the address that is listened on.
    pub advertise: Option<String>,
    /// How nodes prove who they are. `None` on the loopback interface only.
    pub tls: Option<TlsFiles>,
}

impl Listen {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("listen");
        let public = address(&section, "public", "127.0.0.1:7400");
        section.knows("peer");
        let peer = section.has("peer").then(|| PeerPort::read(&section));
        let metrics = address(&section, "metrics", "127.0.0.1:7402");
        let named = [("public", Some(public)), ("peer", peer.as_ref().map(|it| it.addr))];
        apart(&section, "peer", named[1].1, &named[..1]);
        apart(&section, "metrics", Some(metrics), &named);
        section.finish();
        Self { public, peer, metrics }
    }
}

impl PeerPort {
    fn read(listen: &Section<'_>) -> Self {
        let section = listen.section("peer");
        let addr = section.read("addr", "127.0.0.1:7401", rules::address);
        section.knows("tls");
        let tls = section.has("tls").then(|| tls(section.section("tls"))).flatten();
        if !addr.ip().is_loopback() && !section.has("tls") {
            let message = format!("{} is open to the network, so peer needs tls", addr.ip());
            let finding = Finding::new(Code::MissingKey, message)
                .help("add tls: { cert: FILE, key: FILE, ca: FILE }")
                .note("without it anybody on the network could speak as a node; where all nodes are on one machine, use 127.0.0.1");
            section.report.error(section.span_of("addr"), finding);
        }
        let advertise = section.find("advertise", rules::text);
        if advertise.as_deref().is_some_and(|it| Address::new(it).is_err()) {
            let finding = Finding::new(Code::WrongValue, "advertise is not a node's address")
                .help("an address is host:port, as in node-1:7401");
            section.report.error(section.span_of("advertise"), finding);
        }
        if advertise.is_none() && addr.ip().is_unspecified() {
            let message =
                format!("{} is every address of this machine, and other nodes need one", addr.ip());
            let finding = Finding::new(Code::MissingKey, message)
                .help("add advertise: \"HOST:PORT\", under which other nodes reach this one");
            section.report.error(section.span_of("addr"), finding);
        }
        section.finish();
        Self { addr, advertise, tls }
    }
}

/// The three files; `None`, with the reason noted, where one is not there.
fn tls(section: Section<'_>) -> Option<TlsFiles> {
    let [cert, key, ca] = ["cert", "key", "ca"].map(|key| file(&section, key));
    for key in ["cert", "key", "ca"].into_iter().filter(|it| !section.has(it)) {
        section.missing(key);
    }
    section.finish();
    Some(TlsFiles { cert: cert?, key: key?, ca: ca? })
}

/// The file at `key`, which must be there: at the start of a node it would be found missing too late.
fn file(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let path = section.find(key, rules::text).map(PathBuf::from)?;
    if let Err(why) = std::fs::File::open(&path).and_then(|it| readable(&it, &path)) {
        let message = format!("{key} names {}, which cannot be read", path.display());
        let finding = Finding::new(Code::Dangling, message)
            .help(why.to_string())
            .note("a relative path counts from the folder in which the node is started");
        section.report.error(section.span_of(key), finding);
        return None;
    }
    Some(path)
}

fn readable(file: &std::fs::File, path: &Path) -> std::io::Result<()> {
    if file.metadata()?.is_dir() {
        return Err(std::io::Error::other(format!("{} is a folder", path.display())));
    }
    Ok(())
}

/// Notes that two ports are one.
fn apart(
    section: &Section<'_>,
    key: &str,
    address: Option<SocketAddr>,
    others: &[(&str, Option<SocketAddr>)],
) {
    let Some(address) = address.filter(|it| it.port() != 0) else { return };
    for (other, _) in others.iter().filter(|it| it.1 == Some(address)) {
        let message = format!("{key} and {other} cannot both listen on {address}");
        let finding = Finding::new(Code::Conflict, message).help("give it a port of its own");
        section.report.error(section.span_of(key), finding);
    }
}

fn address(listen: &Section<'_>, key: &'static str, default: &str) -> SocketAddr {
    let section = listen.section(key);
    let address = section.read("addr", default, rules::address);
    section.later("tls", "this version serves on the loopback interface only, where it needs none");
    if !address.ip().is_loopback() {
        let message = format!(
            "{} would be open to the network, and this version has no TLS yet",
            address.ip()
        );
        let finding = Finding::new(Code::NotYet, message)
            .help(format!("use 127.0.0.1:{}", address.port()))
            .note("without TLS and access control anybody on the network could read customers' data; to serve others, put a proxy with both before it");
        section.report.error(section.span_of("addr"), finding);
    }
    section.finish();
    address
}
