//! `listen`: where the node serves.

use std::net::SocketAddr;

use super::diagnostic::Code;
use super::report::Finding;
use super::rules;
use super::section::Section;

/// Where the node serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listen {
    /// gRPC, gRPC-Web, the dashboard and `/healthz`.
    pub public: SocketAddr,
    /// Metrics, in Prometheus's format.
    pub metrics: SocketAddr,
}

impl Listen {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section("listen");
        let public = address(&section, "public", "127.0.0.1:7400");
        let metrics = address(&section, "metrics", "127.0.0.1:7402");
        section.later("peer", "this version runs on one node, so there is no peer to listen to");
        if public == metrics && public.port() != 0 {
            let message = format!("metrics and public cannot both listen on {public}");
            let finding = Finding::new(Code::Conflict, message).help("give it a port of its own");
            section.report.error(section.span_of("metrics"), finding);
        }
        section.finish();
        Self { public, metrics }
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
