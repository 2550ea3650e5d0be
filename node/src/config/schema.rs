//! The JSON Schemas (draft 07) with which an editor completes and checks both kinds of file.

/// The schema of a cluster file.
pub const CLUSTER: &str = include_str!("../../schema/cluster.v1.schema.json");

/// The schema of a scenario file.
pub const SCENARIO: &str = include_str!("../../schema/scenario.v1.schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value as Json;

    use super::super::{Config, Value};
    use super::*;

    /// Every leaf of the schema by its path, with its default.
    fn leaves(schema: &Json, path: &str, found: &mut BTreeMap<String, Option<String>>) {
        let Some(properties) = schema["properties"].as_object() else {
            let default = schema.get("default");
            let default = default.map(|it| it.as_str().map_or(it.to_string(), str::to_owned));
            found.insert(path.to_owned(), default);
            return;
        };
        for (key, schema) in properties {
            leaves(schema, format!("{path} {key}").trim_start(), found);
        }
    }

    /// Every setting that the reader knows by its path, with its default.
    fn settings() -> BTreeMap<String, Option<String>> {
        let head = "apiVersion: throughline.dev/v1\nkind: Cluster\nmetadata: { name: x }\n";
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), "key").unwrap();
        let key = key.path().display();
        let bucket = format!(
            "sources: {{ files: {{ dir: in }} }}\nstorage: {{ objects: \"s3://bank\", s3: {{ region: a, endpoint: \
             \"https://s3:1\", accessKeyFile: {key}, secretKeyFile: {key} }} }}"
        );
        let rest = [
            // Before the others, whose defaults are those of a folder.
            bucket.as_str(),
            "sources: { kafka: { brokers: [\"k:1\"] } }",
            "sources: { files: { dir: in } }\nsinks: { files: { dir: out } }\ndiscovery: { dns: nodes }",
            "sources: { generated: { transactions: 1 } }\nstorage: { objects: there }\ndiscovery: { seeds: [\"a:1\"] }",
        ];
        let configs = rest.map(|it| Config::from_text("c.yaml", &format!("{head}{it}")).unwrap());
        let settings = configs.into_iter().flat_map(|it| it.settings);
        let default = |value, line: Option<usize>| match value {
            Value::Plain(text) if line.is_none() => Some(text),
            Value::Plain(_) | Value::Text(_) | Value::List(_) => None,
        };
        settings.map(|it| (it.path.join(" "), default(it.value, it.line))).collect()
    }

    #[test]
    fn the_cluster_schema_knows_the_settings_that_the_reader_knows() {
        let mut known = BTreeMap::new();
        leaves(&serde_json::from_str(CLUSTER).unwrap(), "", &mut known);
        // Not settings, or such whose names the file chooses.
        for path in [
            "metadata title",
            "metadata owner",
            "join fields",
            "scenarios dir",
            "sources kafka properties",
            "sinks kafka properties",
        ] {
            assert!(known.remove(path).is_some(), "{path}");
        }
        let settings = settings();
        let is_column = |path: &str| path.starts_with("join fields ");
        let paths: Vec<_> = settings.keys().filter(|it| !is_column(it)).collect();
        assert_eq!(known.keys().collect::<Vec<_>>(), paths);
        for (path, default) in known.iter().filter(|it| it.1.is_some()) {
            assert_eq!(&settings[path], default, "{path}");
        }
    }

    #[test]
    fn the_scenario_schema_knows_what_the_reader_knows() {
        let schema: Json = serde_json::from_str(SCENARIO).unwrap();
        let known = |json: &Json| {
            json["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        let spec = &schema["properties"]["spec"];
        let names = [
            "select",
            "case",
            "dimensions",
            "steps",
            "indicators",
            "calendar",
            "sla",
            "alerts",
            "customerView",
            "rollout",
        ];
        assert_eq!(known(spec).len(), names.len());
        assert!(names.iter().all(|it| known(spec).contains(&(*it).to_owned())));
        let test = known(&schema["definitions"]["test"]);
        for key in ["field", "equals", "in", "prefix", "exists", "gt", "lt"] {
            assert!(test.contains(&key.to_owned()), "{key}");
        }
        assert_eq!(test.len(), 7);
    }
}
