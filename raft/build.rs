//! Compiles the peers' protocol. protox stands in for protoc, which need not be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/peers.proto");
    let descriptors = protox::compile(["peers.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".florin.raft.v1")
        .compile_fds(descriptors)?;
    Ok(())
}
