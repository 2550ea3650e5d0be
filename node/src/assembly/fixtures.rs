//! What the tests of this folder are made of: a cluster file of the fewest words.

use std::path::Path;

use crate::config::Config;

/// A cluster that keeps everything in a folder of its name.
pub(super) fn config(folder: &Path, cluster: &str, ranges: u16) -> Config {
    let folder = folder.join(cluster);
    let folder = folder.display();
    let text = format!(
        r#"apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ name: {cluster} }}
storage: {{ dir: "{folder}", objects: "{folder}/objects", ranges: {ranges} }}
sources: {{ generated: {{ seed: 1, rate: 10, partitions: 1 }} }}
sinks: {{ files: {{ dir: "{folder}/results" }} }}
"#
    );
    Config::from_text("copied", &text).unwrap()
}
