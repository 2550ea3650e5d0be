//! The generated messages and services of the gRPC API, package `throughline.v1`.

/// The descriptors of every message and service, for reflection and for protobuf JSON.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/throughline.bin"));

/// Version 1: additions only.
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
    tonic::include_proto!("throughline.v1");
}
