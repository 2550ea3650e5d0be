//! The configuration of each of the demo's nodes: what an operator would write.

use crate::cli::DemoArguments;
use crate::config::{Config, MEMORY_LEAST};

/// What the nodes share, in bytes. No node can do with less than [`MEMORY_LEAST`]: three of them and more take that.
const MEMORY: u64 = 1 << 30;

/// One configuration a node.
pub(super) fn configs(arguments: &DemoArguments) -> anyhow::Result<Vec<Config>> {
    let config = |number| {
        let text = text(arguments, number);
        Config::from_text("demo", &text).map_err(|diagnostics| anyhow::anyhow!("{diagnostics}"))
    };
    (1..=arguments.nodes).map(config).collect()
}

fn text(arguments: &DemoArguments, number: u8) -> String {
    let DemoArguments { rate, seed, lateness, api, metrics, .. } = arguments;
    let (storage, results) = (storage(arguments, number), results(arguments, number));
    format!(
        r#"apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ name: demo }}
node: {{ name: node-{number} }}
listen:
  public: {{ addr: "{api}" }}
  metrics: {{ addr: "{metrics}" }}
storage: {{ {storage} }}
sources:
  generated: {{ seed: {seed}, rate: {rate}, partitions: 4 }}
join: {{ lateness: {lateness}s, skew: 1s, correction: 10m, duplicates: 60s }}
sinks: {{ files: {{ dir: "{results}" }} }}
"#
    )
}

/// Several nodes have a folder each, and the objects in common.
fn storage(arguments: &DemoArguments, number: u8) -> String {
    let DemoArguments { folder, ranges, nodes, .. } = arguments;
    let folder = folder.display();
    if *nodes == 1 {
        return format!(r#"dir: "{folder}/data", ranges: {ranges}"#);
    }
    let memory = (MEMORY / u64::from(*nodes)).max(MEMORY_LEAST) >> 20;
    format!(
        r#"dir: "{folder}/node-{number}", objects: "{folder}/objects", ranges: {ranges}, memory: {memory}MiB"#
    )
}

/// A file has one writer. A result that a node had delivered when it was killed, and nobody knew it, the next owner
/// delivers again, in its own folder: under the same range and sequence (I7).
fn results(arguments: &DemoArguments, number: u8) -> String {
    let results = arguments.folder.join("results");
    match arguments.nodes {
        1 => results.display().to_string(),
        _ => results.join(format!("node-{number}")).display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        demo: DemoArguments,
    }

    fn demo(line: &str) -> Vec<Config> {
        configs(&Line::parse_from(line.split(' ')).demo).unwrap()
    }

    #[test]
    fn each_node_has_its_own_folders_and_its_part_of_the_memory_and_all_share_the_objects() {
        for (nodes, mib) in [(1, 1024), (2, 512), (5, 512)] {
            let configs = demo(&format!("demo --nodes {nodes}"));
            assert_eq!(configs.len(), nodes);
            let same = |other: &Config| other.storage.objects == configs[0].storage.objects;
            assert!(configs.iter().all(same));
            let mut folders: Vec<_> = configs.iter().map(|it| it.storage.dir.clone()).collect();
            folders.dedup();
            assert_eq!(folders.len(), nodes);
            assert!(configs.iter().all(|it| it.storage.memory.bytes(0) == mib << 20));
        }
        assert_eq!(demo("demo --nodes 2")[1].names.node.as_str(), "node-2");
    }
}
