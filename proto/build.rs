//! Compiles the API's messages and services, without protoc, and keeps their descriptors for reflection.

#![allow(clippy::print_stdout, reason = "cargo reads it")]

use std::path::Path;
use std::{env, fs};

const FILES: [&str; 5] = ["common", "cluster", "case", "indicator", "snapshot"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = FILES.map(|name| format!("throughline/v1/{name}.proto"));
    let mut compiler = protox::Compiler::new(["proto"])?;
    // Reflection shows the comments; without source info they would be lost.
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("throughline.bin"), compiler.encode_file_descriptor_set())?;
    let mut config = tonic_prost_build::Config::new();
    // The command line finds a message's descriptor, and with it its JSON, by its name.
    config.enable_type_names();
    tonic_prost_build::configure()
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    between_nodes()
}

/// What nodes say to each other: no part of the API, so reflection doesn't show it.
fn between_nodes() -> Result<(), Box<dyn std::error::Error>> {
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).open_files(["throughline/peer/v1/peer.proto"])?;
    let mut config = tonic_prost_build::Config::new();
    // A frame is as large as its sender likes: it is not copied where it can be shared.
    config.bytes([".throughline.peer.v1.Frame"]);
    tonic_prost_build::configure()
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}
