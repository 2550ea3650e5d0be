//! Where a node asks who leads, when neither a beat nor the control log tells.

use std::collections::BTreeSet;

/// Where other nodes may be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Seeds {
    /// Nowhere: the control log alone says where nodes are.
    #[default]
    None,
    /// At these addresses, each `host:port`.
    Listed(Vec<String>),
    /// At each address that this name has.
    Named {
        /// The name, as of a headless service.
        name: String,
        /// The port of all of them.
        port: u16,
    },
}

impl Seeds {
    /// The addresses to ask. A name that has none now gives none: it is looked up again next time.
    pub async fn addresses(&self) -> BTreeSet<String> {
        match self {
            Self::None => BTreeSet::new(),
            Self::Listed(addresses) => addresses.iter().cloned().collect(),
            Self::Named { name, port } => match tokio::net::lookup_host((&**name, *port)).await {
                Ok(found) => found.map(|address| address.to_string()).collect(),
                Err(error) => {
                    tracing::debug!(name, %error, "cannot look up other nodes, trying again");
                    BTreeSet::new()
                }
            },
        }
    }
}
