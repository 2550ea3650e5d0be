//! The generated messages and service that nodes speak among themselves, package `throughline.peer.v1`.

/// Version 1: both ends are nodes of one cluster.
#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    clippy::wildcard_enum_match_arm,
    clippy::needless_pass_by_value,
    clippy::too_many_lines,
    clippy::excessive_nesting,
    clippy::cast_possible_truncation,
    unused_qualifications,
    unreachable_pub,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("throughline.peer.v1");
}
