//! The cluster file of a drain.

use std::path::Path;

use actors::journal::remote::Bucket;
use node::workload::params::Params;

use super::{Delivery, Drain, PARTITIONS};
use crate::cluster::Place;

/// Into how many ranges the keys are cut.
pub const RANGES: u64 = 8;

impl Drain {
    /// The cluster file, where partitions are kept within `alignment_s` of each other in record time.
    #[must_use]
    pub fn cluster_file(&self, alignment_s: u64) -> String {
        let (public, metrics) = self.ports;
        let listen = format!(
            "listen:
  public: {{ addr: \"127.0.0.1:{public}\" }}
  metrics: {{ addr: \"127.0.0.1:{metrics}\" }}
"
        );
        let name = format!("name: {}", self.name);
        let data = self.folder.path().join("data");
        self.file(alignment_s, (&name, &listen), (&data, &self.storage()))
    }

    /// The cluster file of one of several nodes, whose objects are in one folder.
    #[must_use]
    pub fn member_file(&self, alignment_s: u64, place: &Place, all: &[Place]) -> String {
        let ([public, peer, metrics], dial) = (place.ports, place.dial);
        let seeds: Vec<_> = all.iter().map(|it| format!("\"127.0.0.1:{}\"", it.dial)).collect();
        let listen = format!(
            "node: {{ name: {} }}
listen:
  public: {{ addr: \"127.0.0.1:{public}\" }}
  peer: {{ addr: \"127.0.0.1:{peer}\", advertise: \"127.0.0.1:{dial}\" }}
  metrics: {{ addr: \"127.0.0.1:{metrics}\" }}
discovery: {{ seeds: [{}] }}
",
            place.name,
            seeds.join(", ")
        );
        let name = format!("name: {}", self.cluster);
        let objects = match &self.bucket {
            None => format!(", objects: \"{}\"", self.objects().display()),
            Some(_) => self.storage(),
        };
        self.file(alignment_s, (&name, &listen), (&place.data, &objects))
    }

    fn file(
        &self,
        alignment_s: u64,
        (names, listen): (&str, &str),
        (data, objects): (&Path, &str),
    ) -> String {
        let Self { bootstrap, name, memory, .. } = self;
        let Params { lateness_s, skew_s, .. } = self.expected.parameters;
        let data = data.display();
        let keyed = if self.is_keyed { PARTITIONS } else { 0 };
        let exactly_once = self.delivery == Delivery::ExactlyOnce;
        let (mut keep, mut snapshots) = ("", String::new());
        if let Some(every_ms) = self.snapshots_ms {
            keep = ", keepResults: { for: 0s }";
            snapshots = format!("snapshots: {{ every: {every_ms}ms, keep: 2 }}\n");
        }
        format!(
            "apiVersion: throughline.dev/v1
kind: Cluster
metadata: {{ {names} }}
{listen}storage: {{ dir: \"{data}\", ranges: {RANGES}, memory: {memory}{objects} }}
sources:
  kafka: {{ brokers: [\"{bootstrap}\"] }}
  keyedPartitions: {keyed}
  legs:
    trace: {{ topic: {name}.trace, id: \"/transactionId\", time: \"/eventTime\" }}
    request: {{ topic: {name}.request, id: \"/transactionId\", time: \"/eventTime\" }}
    response: {{ topic: {name}.response, id: \"/transactionId\", time: \"/eventTime\" }}
join: {{ lateness: {lateness_s}s, skew: {skew_s}s, alignment: {alignment_s}s{keep} }}
{snapshots}sinks:
  kafka: {{ prefix: {name}.out, exactlyOnce: {exactly_once} }}
"
        )
    }

    /// What the cluster file says of the bucket.
    fn storage(&self) -> String {
        let Some(Bucket { name, prefix, endpoint, region, .. }) = &self.bucket else {
            return String::new();
        };
        let (endpoint, folder) = (endpoint.as_deref().unwrap_or_default(), self.folder.path());
        let (access, secret) = (folder.join("access"), folder.join("secret"));
        format!(
            ", objects: \"s3://{name}/{prefix}\", s3: {{ endpoint: \"{endpoint}\", region: {region}, \
             accessKeyFile: \"{}\", secretKeyFile: \"{}\" }}",
            access.display(),
            secret.display()
        )
    }
}
