//! What the cluster file says when it is right, and what it is told when it is wrong.

use std::num::NonZeroU16;
use std::time::Duration;

use coordinator::machine::office;
use proto::types::{Keying, Leg};

use super::*;

/// The least that a cluster file can say.
const LEAST: &str = "\
apiVersion: throughline.dev/v1
kind: Cluster
metadata: { name: bank }
sources: { files: { dir: in } }
";

fn config(more: &str) -> Config {
    let text = format!("{LEAST}{more}");
    Config::from_text("c.yaml", &text).unwrap_or_else(|it| panic!("{it}"))
}

/// Each diagnostic as `line:column code message [help] (note)`.
fn lines(diagnostics: &Diagnostics) -> Vec<String> {
    let part = |open, text: &str, close| match text {
        "" => String::new(),
        _ => format!(" {open}{text}{close}"),
    };
    let line = |it: &Diagnostic| {
        let (help, note) = (part("[", &it.help, "]"), part("(", &it.note, ")"));
        format!("{}:{} {} {}{help}{note}", it.line, it.column, it.code, it.message)
    };
    diagnostics.0.iter().map(line).collect()
}

/// What is wrong with a file that says `more` after the least (so `more` begins in line 5).
fn check(more: &str, expected: &[&str]) {
    let diagnostics = Config::from_text("c.yaml", &format!("{LEAST}{more}"));
    assert_eq!(lines(&diagnostics.expect_err(more)), expected, "{more}");
}

/// What is wrong with the whole file.
fn check_file(text: &str, expected: &[&str]) {
    let diagnostics = Config::from_text("c.yaml", text).expect_err(text);
    assert_eq!(lines(&diagnostics), expected, "{text}");
}

#[test]
fn everything_has_a_default() {
    let it = config("");
    assert_eq!((it.names.cluster.as_str(), it.names.node.as_str()), ("bank", "node-1"));
    assert_eq!(it.listen.public.to_string(), "127.0.0.1:7400");
    assert_eq!(it.listen.metrics.to_string(), "127.0.0.1:7402");
    assert_eq!(it.storage.dir, Path::new("throughline-data"));
    assert_eq!(it.storage.objects, Objects::Folder("throughline-data/objects".into()));
    assert_eq!((it.storage.memory, it.storage.ranges.get()), (Memory::Bytes(1 << 30), 16));
    let leg = |topic: &str| LegSource {
        topic: topic.to_owned(),
        id: "/transactionId".to_owned(),
        time: "/eventTime".to_owned(),
    };
    assert_eq!(it.sources.legs, [leg("bank.trace"), leg("bank.request"), leg("bank.response")]);
    assert_eq!(it.sources.keying, Keying::default());
    let seconds = Duration::from_secs;
    assert_eq!((it.join.lateness, it.join.skew), (seconds(3600), seconds(300)));
    assert_eq!((it.join.correction, it.join.duplicates), (seconds(86_400), seconds(900)));
    assert_eq!((it.join.future_guard, it.join.alignment), (seconds(300), seconds(60)));
    assert_eq!(it.join.max_record, 8 << 20);
    assert_eq!(it.join.keep_results, Keep { age: seconds(3600), size: 1 << 30 });
    assert_eq!(it.commit.interval, Duration::from_millis(20));
    assert_eq!(it.sink, Sink::Files("throughline-data/results".into()));
    assert_eq!(it.snapshots, Snapshots { every: seconds(60), keep: 3 });
    assert_eq!(it.log.format, LogFormat::Text);
    assert_eq!(it.warnings, Diagnostics::default());
}

#[test]
fn a_result_has_the_columns_of_the_workload() {
    let it = config("");
    let names: Vec<_> = it.rules.result_fields.iter().map(|it| it.name.as_str()).collect();
    let expected = [
        "channel",
        "institution",
        "product",
        "service",
        "businessKey",
        "status",
        "resultCode",
        "decision",
    ];
    assert_eq!(names, expected);
    let business_key = &it.rules.result_fields[4];
    let from: Vec<_> =
        business_key.from.iter().map(|f| field::spell(&it.rules.fields, *f)).collect();
    assert_eq!(from, ["request:/body/businessKey", "response:/body/businessKey"]);
    let response = ["/body/businessKey", "/status", "/resultCode", "/body/decision"];
    assert_eq!(it.rules.fields.pointers(Leg::Response), response, "the scenario adds none");
}

#[test]
fn columns_are_those_that_the_file_names() {
    let it =
        config("join: { fields: { shop: \"trace:/a~1b\", who: [\"request:/x\", \"trace:/y\"] } }");
    let shown: Vec<_> = it
        .rules
        .result_fields
        .iter()
        .map(|column| {
            let from = column.from.iter().map(|f| field::spell(&it.rules.fields, *f));
            (column.name.clone(), from.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(shown, [pair("shop", "trace:/a~1b"), pair("who", "request:/x trace:/y")]);
}

#[test]
fn topics_may_be_keyed_by_transaction() {
    let keyed = |partitions: u16| {
        let text = LEAST.replace(
            "files: { dir: in }",
            &format!("files: {{ dir: in }}, keyedPartitions: {partitions}"),
        );
        Config::from_text("c.yaml", &text).unwrap().sources.keying
    };
    assert_eq!(keyed(24), Keying::by(NonZeroU16::new(24).unwrap()));
    assert_eq!(keyed(0), Keying::default());
}

#[test]
fn a_kafka_sink_has_the_brokers_of_the_source() {
    let text = LEAST.replace("files: { dir: in }", "kafka: { brokers: [\"k:9092\"] }");
    let it = Config::from_text("c.yaml", &text).unwrap();
    let SourceKind::Kafka(source) = &it.sources.kind else { panic!("{:?}", it.sources) };
    let Sink::Kafka(sink) = &it.sink else { panic!("{:?}", it.sink) };
    assert_eq!(
        (source.group.as_str(), source.brokers.as_slice()),
        ("throughline-bank", &["k:9092".to_owned()][..])
    );
    assert_eq!((sink.prefix.as_str(), &sink.brokers), ("throughline", &source.brokers));
    assert!(!sink.exactly_once);
}

#[test]
fn the_examples_are_right() {
    for (name, text) in [
        ("kafka.yaml", include_str!("../../examples/kafka.yaml")),
        ("files.yaml", include_str!("../../examples/files.yaml")),
    ] {
        let it = Config::from_text(name, text).unwrap_or_else(|it| panic!("{it}"));
        assert_eq!(it.warnings, Diagnostics::default(), "{name}");
    }
}

#[test]
fn what_config_show_prints_means_the_same() {
    let kafka = include_str!("../../examples/kafka.yaml");
    let generated = LEAST.replace("files: { dir: in }", "generated: { transactions: 5 }");
    for text in [LEAST, kafka, &generated] {
        let it = Config::from_text("c.yaml", text).unwrap();
        for is_all in [true, false] {
            let shown = it.show(is_all);
            let again = Config::from_text("shown.yaml", &shown)
                .unwrap_or_else(|it| panic!("{it}\n{shown}"));
            let same = |it: &Config| {
                format!(
                    "{:?}{:?}{:?}{:?}{:?}{:?}{:?}{:?}",
                    it.names,
                    it.listen,
                    it.storage,
                    it.sources,
                    it.join,
                    it.sink,
                    it.snapshots,
                    it.rules
                )
            };
            assert_eq!(same(&again), same(&it), "{shown}");
        }
    }
}

#[test]
fn config_show_says_where_a_value_comes_from() {
    let shown =
        config("join: { lateness: 30m, fields: { a: \"trace:/a\" } }\ncommit: { interval: 5ms }\n")
            .show(true);
    let has = |line: &str| assert!(shown.lines().any(|it| it == line), "{line}\n{shown}");
    has("join:");
    has("  lateness: 30m  # line 5");
    has("  skew: 300s  # default");
    has("  keepResults:");
    has("    for: 1h  # default");
    has("    a: \"trace:/a\"  # line 5");
    has("  interval: 5ms  # line 6");
    has("  objects: throughline-data/objects  # default");
}

#[test]
fn secrets_are_not_shown() {
    let properties =
        "{ sasl.password: hunter2, linger.ms: 5, enable.ssl.certificate.verification: true }";
    let text = LEAST.replace(
        "files: { dir: in }",
        &format!("kafka: {{ brokers: [\"k:1\"], properties: {properties} }}"),
    );
    let it = Config::from_text("c.yaml", &text).unwrap();
    let SourceKind::Kafka(source) = &it.sources.kind else { panic!() };
    assert_eq!(source.properties.0["sasl.password"], "hunter2");
    assert_eq!(source.properties.0["linger.ms"], "5");
    assert_eq!(source.properties.0["enable.ssl.certificate.verification"], "true");
    assert!(!it.show(true).contains("hunter2") && !format!("{it:?}").contains("hunter2"));
    assert!(it.show(true).contains("sasl.password: \"***\""));
}

#[test]
fn a_diagnostic_looks_as_in_the_interface() {
    let text = format!("{LEAST}join:\n  latenes: 30m\n");
    let diagnostics = Config::from_text("cluster.yaml", &text).unwrap_err();
    let expected = r#"
error[TL-0202]: "latenes" is not known here
  ╭─ cluster.yaml:6:3
5 │ join:
6 │   latenes: 30m
  │   ───────  did you mean "lateness"?
  ╰─ known here: lateness, skew, correction, duplicates, futureGuard, alignment, maxRecord, keepResults, fields

1 error"#;
    assert_eq!(format!("\n{diagnostics}"), expected);
}

#[test]
fn a_key_that_nobody_knows_is_refused() {
    check(
        "joins: {}",
        &[concat!(
            "5:1 TL-0202 \"joins\" is not known here [did you mean \"join\"?] (known here: apiVersion, ",
            "kind, metadata, node, listen, storage, sources, join, sinks, scenarios, commit, snapshots, ",
            "log, discovery, coordinator, access)"
        )],
    );
    check(
        "commit: { every: 5ms }",
        &["5:11 TL-0202 \"every\" is not known here (known here: interval)"],
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    check(
        "commit: { interval: 5ms, interval: 6ms }",
        &["5:26 TL-0203 \"interval\" is there twice [the first one is in line 5]"],
    );
    check(
        "metadata: { name: other }",
        &["5:1 TL-0203 \"metadata\" is there twice [the first one is in line 3]"],
    );
}

#[test]
fn a_word_that_some_read_as_a_truth_value_is_refused() {
    check(
        "storage: { dir: on }",
        &[concat!(
            "5:17 TL-0219 \"on\" is read as true by many YAML tools ",
            "[write \"on\" in quotes if it is text, else true or false]"
        )],
    );
    check(
        "commit: { no: 5ms }",
        &["5:11 TL-0219 \"no\" is read as false by many YAML tools (known here: interval)"],
    );
    assert_eq!(config("storage: { dir: \"on\" }").storage.dir, Path::new("on"));
}

#[test]
fn durations_and_sizes_need_their_units() {
    check(
        "join: { lateness: 3600 }",
        &[
            "5:19 TL-0206 lateness cannot be \"3600\" [a duration needs a unit: ms, s, m, h or d, as in 90s]",
        ],
    );
    check(
        "join: { maxRecord: 8MB }",
        &[
            "5:20 TL-0206 maxRecord cannot be \"8MB\" [a size needs a unit: B, KiB, MiB, GiB or TiB, as in 64MiB]",
        ],
    );
    check(
        "storage: { memory: 70 }",
        &[concat!(
            "5:20 TL-0206 memory cannot be \"70\" [a size needs a unit: B, KiB, MiB, GiB or TiB, ",
            "as in 64MiB; or a share of the memory, as in 70%]"
        )],
    );
    check(
        "join: { lateness: 0s }",
        &["5:19 TL-0206 lateness cannot be \"0s\" [it must be from 1s to 7d]"],
    );
}

#[test]
fn values_have_bounds() {
    check(
        "storage: { ranges: 0 }",
        &["5:20 TL-0206 ranges cannot be \"0\" [it must be a whole number from 1 to 65535]"],
    );
    check(
        "log: { format: xml }",
        &["5:16 TL-0206 format cannot be \"xml\" [it must be text or json]"],
    );
    check(
        "log: { filter: \"a=b=c\" }",
        &[
            "5:16 TL-0206 filter cannot be \"a=b=c\" [a filter is level or module=level, as in info,actors=debug]",
        ],
    );
    check(
        "node: { name: Node_1 }",
        &[
            "5:15 TL-0206 name cannot be \"Node_1\" [node name `Node_1` must be 1 to 63 of a-z, 0-9 and -]",
        ],
    );
}

#[test]
fn one_kind_of_source_must_be_there() {
    check_file(
        &LEAST.replace("{ files: { dir: in } }", "{ files: { dir: in }, generated: {} }"),
        &[
            "4:32 TL-0209 sources can be only one of kafka, files, generated, not files and generated [remove all but one]",
        ],
    );
    check_file(
        &LEAST.replace("{ files: { dir: in } }", "{}"),
        &["4:1 TL-0209 sources needs one of kafka, files, generated"],
    );
    check(
        "sinks: { kafka: { brokers: [\"k:1\"] }, files: { dir: out } }",
        &[
            "5:39 TL-0209 sinks can be only one of kafka, files, not kafka and files [remove all but one]",
        ],
    );
    check(
        "sinks: { kafka: {} }",
        &[concat!(
            "5:10 TL-0204 kafka needs the key \"brokers\" ",
            "(only where the source is kafka as well, its brokers are the default)"
        )],
    );
}

#[test]
fn what_must_be_there_is_asked_for() {
    check_file(
        "",
        &[
            "1:1 TL-0204 the file needs the key \"apiVersion\"",
            "1:1 TL-0204 the file needs the key \"kind\"",
            "1:1 TL-0204 metadata needs the key \"name\"",
            "1:1 TL-0209 sources needs one of kafka, files, generated",
        ],
    );
    check_file(&LEAST.replace("dir: in", ""), &["4:12 TL-0204 files needs the key \"dir\""]);
    check_file(
        &LEAST.replace("files: { dir: in }", "kafka: {}"),
        &["4:12 TL-0204 kafka needs the key \"brokers\""],
    );
    check_file(
        &LEAST.replace("/v1", "/v2"),
        &[
            "1:13 TL-0206 apiVersion cannot be \"throughline.dev/v2\" [it must be throughline.dev/v1]",
        ],
    );
}

#[test]
fn brokers_are_a_list_of_host_and_port() {
    let kafka = |brokers: &str| {
        LEAST.replace("files: { dir: in }", &format!("kafka: {{ brokers: {brokers} }}"))
    };
    check_file(
        &kafka("k:9092"),
        &["4:30 TL-0205 brokers must be a list, not text [as in [\"kafka-0:9092\"]]"],
    );
    check_file(
        &kafka("[\"k\", \"k:9092\", \"k:0\"]"),
        &[
            "4:31 TL-0206 \"k\" is not a broker [a broker is host:port, as in kafka-0:9092]",
            "4:46 TL-0206 \"k:0\" is not a broker [a broker is host:port, as in kafka-0:9092]",
        ],
    );
    check_file(&kafka("[]"), &["4:30 TL-0206 there must be at least one broker"]);
}

#[test]
fn settings_that_the_promises_rest_on_cannot_be_changed() {
    let text = LEAST.replace(
        "files: { dir: in }",
        "kafka: { brokers: [\"k:1\"], properties: { auto.offset.reset: latest } }",
    );
    check_file(
        &text,
        &[concat!(
            "4:53 TL-0211 \"auto.offset.reset\" is set by Throughline itself [remove it] ",
            "(retention that passed unread records must stop the range, never skip)"
        )],
    );
}

#[test]
fn a_pointer_begins_with_a_slash_and_a_field_with_its_leg() {
    check(
        "join: { fields: { a: \"trace:channel\", b: \"tarce:/x\", c: /x, d: [\"request:/~2\"] } }",
        &[
            concat!(
                "5:22 TL-0208 \"trace:channel\" is not a field [a JSON pointer begins with /, as in \"/channel\"] ",
                "(a field is <leg>:<JSON pointer>, as in request:/body/businessKey)"
            ),
            concat!(
                "5:42 TL-0208 \"tarce:/x\" is not a field [did you mean \"trace\"?] ",
                "(a field is <leg>:<JSON pointer>, as in request:/body/businessKey)"
            ),
            concat!(
                "5:57 TL-0208 \"/x\" is not a field [say of which leg, as in \"request:/x\"] ",
                "(a field is <leg>:<JSON pointer>, as in request:/body/businessKey)"
            ),
            concat!(
                "5:65 TL-0208 \"request:/~2\" is not a field [in a JSON pointer ~ is written ~0, and / in a name ~1] ",
                "(a field is <leg>:<JSON pointer>, as in request:/body/businessKey)"
            ),
        ],
    );
    check(
        "join: { fields: { version: \"trace:/v\", 2x: \"trace:/v\" } }",
        &[
            "5:19 TL-0211 every result has its own \"version\" [give the column another name]",
            concat!(
                "5:40 TL-0206 a column cannot be named \"2x\" ",
                "[a column's name is 1 to 63 letters, digits and _, and begins with a letter]"
            ),
        ],
    );
    let text = LEAST.replace(
        "files: { dir: in }",
        "files: { dir: in }, legs: { trace: { id: transactionId } }",
    );
    check_file(
        &text,
        &[
            "4:53 TL-0206 id cannot be \"transactionId\" [a JSON pointer begins with /, as in \"/transactionId\"]",
        ],
    );
}

#[test]
fn a_key_without_a_value_is_refused_and_an_empty_section_is_not() {
    let expected = "5:9 TL-0206 lateness has no value [give it one, or remove the key]";
    check("join: { lateness: }", &[expected]);
    check_file(
        &LEAST.replace("name: bank", "name: ~"),
        &["3:13 TL-0206 name has no value [give it one, or remove the key]"],
    );
    assert_eq!(config("join:\nlog:\n").join, config("").join);
}

#[test]
fn two_legs_cannot_be_one_topic() {
    let text = LEAST.replace(
        "files: { dir: in }",
        "files: { dir: in }, legs: { response: { topic: bank.trace } }",
    );
    check_file(&text, &["4:50 TL-0210 response and trace cannot both be the topic \"bank.trace\""]);
}

#[test]
fn an_address_that_others_could_reach_is_refused() {
    check(
        "listen: { public: { addr: \"0.0.0.0:7400\" } }",
        &[concat!(
            "5:27 TL-0230 0.0.0.0 would be open to the network, and this version has no TLS yet ",
            "[use 127.0.0.1:7400] (without TLS and access control anybody on the network could read ",
            "customers' data; to serve others, put a proxy with both before it)"
        )],
    );
    check(
        "listen: { metrics: { addr: localhost:7400 } }",
        &[
            "5:20 TL-0210 metrics and public cannot both listen on 127.0.0.1:7400 [give it a port of its own]",
        ],
    );
}

#[test]
fn the_peer_port_is_there_where_the_file_says_so() {
    let of = |text: &str| config(text).listen.peer;
    assert_eq!(of(""), None);
    let port = of("listen: { peer: {} }").unwrap();
    assert_eq!((port.addr.to_string().as_str(), port.tls), ("127.0.0.1:7401", None));
    let folder = tempfile::tempdir().unwrap();
    let files = ["tls.crt", "tls.key", "ca.crt"].map(|it| folder.path().join(it));
    for file in &files {
        std::fs::write(file, "").unwrap();
    }
    let [cert, key, ca] = files;
    let (c, k, a) = (cert.display(), key.display(), ca.display());
    let tls = format!("{{ cert: \"{c}\", key: \"{k}\", ca: \"{a}\" }}");
    let port = of(&format!(
        "listen: {{ peer: {{ addr: \"0.0.0.0:7401\", advertise: \"node-1.bank:7401\", tls: {tls} }} }}"
    ));
    let tls = Some(crate::peer::TlsFiles { cert, key, ca });
    let (addr, advertise) = ("0.0.0.0:7401".parse().unwrap(), Some("node-1.bank:7401".to_owned()));
    assert_eq!(port, Some(PeerPort { addr, advertise, tls }));
}

#[test]
fn a_peer_port_that_others_could_reach_needs_certificates_that_are_there() {
    check(
        "listen: { peer: { addr: \"0.0.0.0:7401\" } }",
        &[
            concat!(
                "5:25 TL-0204 0.0.0.0 is open to the network, so peer needs tls ",
                "[add tls: { cert: FILE, key: FILE, ca: FILE }] (without it anybody on the network could ",
                "speak as a node; where all nodes are on one machine, use 127.0.0.1)"
            ),
            concat!(
                "5:25 TL-0204 0.0.0.0 is every address of this machine, and other nodes need one ",
                "[add advertise: \"HOST:PORT\", under which other nodes reach this one]"
            ),
        ],
    );
    check(
        "listen:\n  peer:\n    tls:\n      cert: /nowhere/tls.crt\n      keys: k",
        &[
            "7:5 TL-0204 tls needs the key \"key\"",
            "7:5 TL-0204 tls needs the key \"ca\"",
            concat!(
                "8:13 TL-0214 cert names /nowhere/tls.crt, which cannot be read ",
                "[No such file or directory (os error 2)] ",
                "(a relative path counts from the folder in which the node is started)"
            ),
            "9:7 TL-0202 \"keys\" is not known here [did you mean \"key\"?] (known here: cert, key, ca)",
        ],
    );
    check(
        "listen: { peer: { addr: localhost:7402 } }",
        &[
            "5:1 TL-0210 metrics and peer cannot both listen on 127.0.0.1:7402 [give it a port of its own]",
        ],
    );
}

#[test]
fn what_a_later_version_will_do_is_not_ignored() {
    check(
        "access: {}\nlisten: { public: { tls: {} } }\nsinks: { postgres: {} }",
        &[
            "5:1 TL-0230 \"access\" is not in this version yet [remove it] (this version knows no users; it serves on the loopback interface only)",
            "6:21 TL-0230 \"tls\" is not in this version yet [remove it] (this version serves on the loopback interface only, where it needs none)",
            "7:10 TL-0230 \"postgres\" is not in this version yet [remove it] (all outlets go to the same sink in this version: kafka or files)",
        ],
    );
}

#[test]
fn other_nodes_are_where_seeds_or_a_name_say() {
    let seeds = |yaml: &str| config(yaml).discovery;
    assert_eq!(seeds(""), Seeds::None);
    let listed = seeds("discovery: { seeds: [\"a:7401\", \"b.cards:7402\"] }");
    assert_eq!(listed, Seeds::Listed(vec!["a:7401".to_owned(), "b.cards:7402".to_owned()]));
    let named = |port| Seeds::Named { name: "nodes.cards.svc".to_owned(), port };
    assert_eq!(seeds("discovery: { dns: nodes.cards.svc }"), named(7401));
    assert_eq!(seeds("discovery: { dns: nodes.cards.svc, port: 9 }"), named(9));
    check(
        "discovery: { seeds: [\"a\", \"b:0\"] }",
        &[
            "5:22 TL-0206 \"a\" is not a node's address [an address is host:port, as in node-1:7401]",
            "5:27 TL-0206 \"b:0\" is not a node's address [an address is host:port, as in node-1:7401]",
        ],
    );
    check(
        "discovery: { seeds: [\"a:1\"], dns: b }",
        &["5:30 TL-0210 seeds and dns cannot be there together [keep one of them]"],
    );
    check(
        "discovery: { port: 1 }",
        &[
            "5:14 TL-0210 port means nothing without dns [give each seed its port, as in node-1:7401]",
        ],
    );
    check(
        "discovery: { seeds: a }",
        &["5:21 TL-0205 seeds must be a list, not text [as in [\"node-1:7401\"]]"],
    );
}

#[test]
fn times_of_the_coordinator_leave_room_for_each_other() {
    assert_eq!(config("").coordinator.office, office::Settings::default());
    let yaml =
        "coordinator: { candidate: false, heartbeat: 500ms, suspectAfter: 2s, lostAfter: 3s }";
    let config = config(yaml);
    assert!(!config.coordinator.office.is_candidate);
    assert_eq!(config.coordinator.office.health.lost_ms(), 3_000);
    assert_eq!(config.coordinator.leave_within, Duration::from_secs(60));
    check(
        "coordinator: { heartbeat: 500ms }",
        &[
            "5:1 TL-0210 suspectAfter must be at least three heartbeats [else a lost message or two would make a node suspect]",
        ],
    );
    check(
        "coordinator: { deadAfter: 1s }",
        &[
            "5:27 TL-0210 deadAfter must be more than suspectAfter [else a node would be held dead before it is suspect]",
        ],
    );
    check(
        "coordinator: { lostAfter: 6s }",
        &[
            "5:27 TL-0210 lostAfter must be no less than suspectAfter, and no more than deadAfter [it is how long a node is waited for whose connection has broken]",
        ],
    );
}

#[test]
fn the_wrong_kind_of_value_is_named() {
    check("join: 30m", &["5:7 TL-0205 join must be a mapping, not text"]);
    check("commit: { interval: [5ms] }", &["5:21 TL-0205 interval must be one value, not a list"]);
    check("storage: { dir: { a: b } }", &["5:17 TL-0205 dir must be one value, not a mapping"]);
    check_file("[a]", &["1:1 TL-0205 the file must be a mapping, not a list"]);
}

#[test]
fn what_is_not_yaml_is_told_alone() {
    check("join: { lateness: 'x }", &["5:19 TL-0201 this is not YAML: unclosed quote"]);
    let long = format!("{LEAST}# {}", "x".repeat(1 << 20));
    let message = format!("1:1 TL-0200 the file has {} bytes, more than 1 MiB", long.len());
    check_file(&long, &[&message]);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    check(
        "log: { format: xml }\nstorage: { ranges: 0, dir: on }\ncommit: { intervall: 5ms }",
        &[
            "5:16 TL-0206 format cannot be \"xml\" [it must be text or json]",
            "6:20 TL-0206 ranges cannot be \"0\" [it must be a whole number from 1 to 65535]",
            "6:28 TL-0219 \"on\" is read as true by many YAML tools [write \"on\" in quotes if it is text, else true or false]",
            "7:11 TL-0202 \"intervall\" is not known here [did you mean \"interval\"?] (known here: interval)",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.yaml");
    let diagnostics = Config::load(&path).unwrap_err();
    let expected = "1:1 TL-0200 cannot read the file: No such file or directory (os error 2)";
    assert_eq!(lines(&diagnostics), [expected]);
    assert_eq!(diagnostics.0[0].path, path.display().to_string());

    std::fs::write(&path, b"\xff").unwrap();
    assert_eq!(lines(&Config::load(&path).unwrap_err()), ["1:1 TL-0200 the file is not UTF-8"]);
}

#[test]
fn the_scenarios_of_a_directory_are_those_that_run() {
    let directory = tempfile::tempdir().unwrap();
    let bank = include_str!("../../scenarios/bank.yaml");
    let scenario = |name: &str| bank.replace("name: bank", &format!("name: {name}"));
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("1.yaml", &scenario("loans"));
    write("2.yml", &scenario("cards"));
    write("..data.yaml", "not: read");
    write("readme.md", "not read");
    let cluster = format!("scenarios: {{ dir: {:?} }}", directory.path());
    let names =
        |it: &Config| it.rules.scenarios.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&config(&cluster)), ["cards", "loans"]);
    assert_eq!(names(&config("")), ["bank"]);

    let versions = |it: &Config| it.rules.versions.clone();
    let before = versions(&config(&cluster));
    assert_eq!(versions(&config(&cluster)), before);
    write("1.yaml", &scenario("loans").replace("resultCode", "status"));
    let after = versions(&config(&cluster));
    assert_eq!(before[0], after[0], "cards has not changed");
    assert_ne!(before[1], after[1], "loans has");
    assert!(after.iter().all(|it| it.len() == 12), "{after:?}");

    write("3.yaml", &scenario("cards").replace("resultCode", "status"));
    let path = directory.path().join("3.yaml");
    check(
        &cluster,
        &[&format!(
            "5:19 TL-0210 two scenarios are named \"cards\" [rename the one in {}]",
            path.display()
        )],
    );

    write("3.yaml", "kind: Cluster");
    let diagnostics = Config::from_text("c.yaml", &format!("{LEAST}{cluster}")).unwrap_err();
    assert!(diagnostics.0.iter().all(|it| it.path == path.display().to_string()), "{diagnostics}");
}

#[test]
fn a_directory_without_scenarios_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    check(
        &format!("scenarios: {{ dir: {path} }}"),
        &[&format!("5:19 TL-0200 there is no scenario file (*.yaml) in {path}")],
    );
    check(
        &format!("scenarios: {{ dir: {path}/none }}"),
        &[&format!(
            "5:19 TL-0200 cannot read the directory {path}/none: No such file or directory (os error 2)"
        )],
    );
}
