//! Every command against the fake bank: what it prints, and how it ends.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use clap::CommandFactory;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::io::Screen;
use super::*;
use crate::api::{Calls, listen, serve};
use crate::fake::Fake;
use crate::problem::{Code, Problem};

/// Parts that start the fake bank and know one good configuration.
#[derive(Default)]
pub(super) struct FakeParts {
    pub(super) fake: Mutex<Fake>,
}

fn running(fake: Fake, arguments: &DemoArguments) -> Running {
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    let backend = Arc::new(fake);
    Running {
        own: Arc::<Fake>::clone(&backend),
        backend,
        api: arguments.api,
        metrics: arguments.metrics,
        started: vec!["16 ranges, no Kafka needed".to_owned()],
        stop,
        stopped: Box::pin(async move {
            stopped.await;
            Ok(())
        }),
    }
}

impl Parts for FakeParts {
    fn run<'a>(&'a self, arguments: &'a RunArguments) -> BoxFuture<'a, anyhow::Result<Running>> {
        let what = format!("cannot read {}", arguments.config.display());
        Box::pin(async { Err(Problem::new(Code::FileNotFound, what, "no such file").into()) })
    }

    fn demo<'a>(&'a self, arguments: &'a DemoArguments) -> BoxFuture<'a, anyhow::Result<Demo>> {
        let fake = std::mem::take(&mut *self.fake.lock());
        Box::pin(async { Ok(Demo { running: running(fake, arguments), nodes: None }) })
    }

    fn validate_config(&self, file: &Path) -> anyhow::Result<String> {
        if file == Path::new("good.yaml") {
            return Ok("good.yaml is valid: 3 topics, 16 ranges\n".to_owned());
        }
        let problem = Problem::new(Code::BadConfig, "bad.yaml is not valid", "2:3: unknown field");
        Err(problem.remedy("remove it").into())
    }

    fn show_config(&self, file: &Path) -> anyhow::Result<String> {
        Ok(format!("file: {}", file.display()))
    }

    fn restore<'a>(
        &'a self,
        arguments: &'a RestoreArguments,
    ) -> BoxFuture<'a, anyhow::Result<Restored>> {
        let restored = Restored {
            name: arguments.name.clone().unwrap_or_else(|| "3".to_owned()),
            created_ms: crate::fake::NOON_MS.unsigned_abs(),
            ranges: 4,
            bytes: 3 << 20,
            tail_slots: 41,
            passed_over: vec!["snapshot 4: file 17.sst is missing".to_owned()],
        };
        Box::pin(async move {
            match restored.name.parse::<u64>() {
                Ok(_) => Ok(restored),
                Err(_) => Err(Problem::new(Code::SnapshotNotFound, "there is none", "").into()),
            }
        })
    }

    fn copy<'a>(&'a self, arguments: &'a CopyArguments) -> BoxFuture<'a, anyhow::Result<Copied>> {
        let to = format!("what {} says", arguments.to.display());
        let passed_over = [(7, "file x is missing".to_owned())].into();
        Box::pin(async {
            Ok(Copied { to, ranges: 8, snapshots: 3, bytes: 3 << 20, commits: 1, passed_over })
        })
    }

    fn generate<'a>(
        &'a self,
        _: &'a GenerateArguments,
        _: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        Box::pin(async { Ok(Exit::Done) })
    }

    fn verify<'a>(
        &'a self,
        _: &'a VerifyArguments,
        _: &'a mut Io,
    ) -> BoxFuture<'a, anyhow::Result<Exit>> {
        Box::pin(async { Ok(Exit::CheckFailed) })
    }
}

/// A stream that the test can read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

/// A pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

/// Types `line` where no node is.
pub(super) async fn alone(line: &str, parts: &FakeParts) -> Ended {
    let (out, err) = (Shared::default(), Shared::default());
    let mut io =
        Io { out: Box::new(out.clone()), err: Box::new(err.clone()), screen: Screen::None };
    let words = ["throughline"].into_iter().chain(line.split_whitespace());
    let exit = execute(words.map(OsString::from).collect(), parts, &mut io).await;
    Ended { exit, out: out.text(), err: err.text() }
}

/// Types `line` where `fake` is served.
async fn asked(fake: Fake, line: &str) -> Ended {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let calls = Arc::new(Calls::default());
    TaskTracker::new().spawn(serve(listener, Arc::new(fake), calls, std::future::pending()));
    alone(&format!("{line} --endpoint {endpoint}"), &FakeParts::default()).await
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[tokio::test]
async fn nothing_typed_shows_where_to_start_and_is_no_error() {
    let ended = alone("", &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Done);
    contains(&ended.out, &["Start here", "throughline demo"]);
    assert_eq!(ended.err, "");
}

#[tokio::test]
async fn every_command_is_on_the_start_screen() {
    let ended = alone("", &FakeParts::default()).await;
    for command in Arguments::command().get_subcommands() {
        contains(&ended.out, &[command.get_name()]);
    }
}

#[test]
fn every_command_has_an_example_that_can_be_typed() {
    fn leaves(command: &clap::Command, path: &str) {
        let mut subcommands = command.get_subcommands().peekable();
        if subcommands.peek().is_none() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("  {path}")), "{path} has no example");
            for line in help.lines().filter(|line| line.starts_with("  throughline ")) {
                let line = line.split([';', '|', '>']).next().unwrap();
                let parsed = Arguments::try_parse_from(line.split_whitespace());
                let fine = parsed.is_ok() || line.ends_with("--help");
                assert!(fine, "cannot type {line}");
            }
        }
        subcommands.for_each(|child| leaves(child, &format!("{path} {}", child.get_name())));
    }
    Arguments::command().debug_assert();
    leaves(&Arguments::command(), "throughline");
}

#[tokio::test]
async fn a_typing_error_is_wrong_usage_with_a_suggestion() {
    let ended = alone("statsu", &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Usage);
    contains(&ended.err, &["status"]);
    assert_eq!(ended.out, "");
    assert_eq!(alone("--help", &FakeParts::default()).await.exit, Exit::Done);
}

#[tokio::test]
async fn no_node_is_said_with_what_why_and_what_to_do() {
    let line = "status --endpoint http://127.0.0.1:1";
    let ended = alone(line, &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Unreachable);
    contains(
        &ended.err,
        &[
            "error[TL-0401]: no node answers at http://127.0.0.1:1\n",
            "  why   ",
            "  do    throughline demo",
        ],
    );
    let ended = alone(&format!("{line} -o json"), &FakeParts::default()).await;
    let status: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(status["code"], 14);
    assert_eq!(status["details"][0]["reason"], "UNREACHABLE");
    assert_eq!(ended.out, "");
}

#[tokio::test]
async fn status_says_whether_the_cluster_is_well() {
    let ended = asked(Fake::default(), "status").await;
    assert_eq!(ended.exit, Exit::Done);
    assert_eq!(
        ended.out,
        "HEALTHY  bank-test, 1 node, 4 ranges, map v42\n  \
         ✓ 0.8 s behind\n  \
         ✓ every record accounted for (3,000)\n  \
         ✓ newest snapshot s3 of 2023-11-14T22:13:20Z\n"
    );
}

#[tokio::test]
async fn status_ends_with_5_when_the_cluster_is_unwell_or_a_record_is_lost() {
    let reasons = vec!["results 41 s behind: bank.response/7 has no leader".to_owned()];
    let ended = asked(Fake { reasons, ..Fake::default() }, "status").await;
    assert_eq!(ended.exit, Exit::Unhealthy);
    contains(&ended.out, &["DEGRADED  bank-test", "  ▲ results 41 s behind: bank.response/7"]);
    for line in ["status", "status -o json"] {
        let ended = asked(Fake { lost: 1, ..Fake::default() }, line).await;
        assert_eq!(ended.exit, Exit::Unhealthy, "{line}");
    }
}

#[tokio::test]
async fn json_is_the_protobuf_json_of_the_api() {
    let ended = asked(Fake::default(), "status -o json").await;
    let cluster: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(cluster["state"], "HEALTHY");
    assert_eq!(cluster["mapVersion"], "42");
    assert_eq!(cluster["asOf"]["lag"], "0.800s");
    assert_eq!(cluster["asOf"]["businessTime"], "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn a_transaction_shows_what_it_waits_for_or_its_result() {
    let ended = asked(Fake::default(), "tx get t-open").await;
    assert_eq!(ended.exit, Exit::Done);
    contains(
        &ended.out,
        &["t-open  OPEN  waits for response until 2023-11-14T23:18:20Z", "bank.request/3@1234"],
    );
    let ended = asked(Fake::default(), "tx get t-done").await;
    contains(&ended.out, &["t-done  COMPLETE  v1", "bank.response/3@1234", crate::fake::RESULT]);
    let ended = asked(Fake::default(), "tx get t-old").await;
    contains(&ended.out, &["t-old  DONE"]);
    let ended = asked(Fake::default(), "tx get t-done -o json").await;
    let transaction: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(transaction["resultJson"], crate::fake::RESULT);
    let ended = asked(Fake::default(), "tx get nobody").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::NotFound, ""));
    contains(&ended.err, &["error[TL-0301]: transaction nobody is not known here"]);
}

#[tokio::test]
async fn the_ledger_shows_where_each_record_is() {
    let ended = asked(Fake::default(), "ledger").await;
    assert_eq!(ended.exit, Exit::Done);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 6);
    let columns = lines[4].split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(columns, "total 3,000 2,700 150 60 30 27 24 9 ✓");
    let ended = asked(Fake { lost: 2, ..Fake::default() }, "ledger").await;
    assert_eq!(ended.exit, Exit::CheckFailed);
    contains(&ended.out, &["■ 2 lost", "does not balance"]);
    let ended = asked(Fake { lost: 2, ..Fake::default() }, "ledger -o json").await;
    assert_eq!(ended.exit, Exit::CheckFailed);
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["total"]["imbalance"], "2");
}

#[tokio::test]
async fn a_list_longer_than_a_page_is_whole() {
    let fake = || Fake { ranges: std::num::NonZeroU16::new(1500), ..Fake::default() };
    assert_eq!(asked(fake(), "range list").await.out.lines().count(), 1501);
    let ended = asked(fake(), "range list -o json").await;
    let ranges: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(ranges.len(), 1500);
    assert_eq!(ranges[1499]["name"], "ranges/r1499");
    assert_eq!(ranges[3]["state"], "unowned");
}

#[tokio::test]
async fn nodes_are_listed() {
    let ended = asked(Fake::default(), "node list").await;
    assert_eq!((ended.exit, ended.out.lines().count()), (Exit::Done, 2), "{}", ended.out);
    contains(&ended.out, &["NODE", "alive"]);
    let ended = asked(Fake::default(), "node list -o json").await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&ended.out).unwrap().len(), 1);
}

#[tokio::test]
async fn every_code_that_is_told_can_be_explained() {
    let parts = FakeParts::default();
    let told = alone("status --endpoint 127.0.0.1:1", &parts).await.err;
    contains(&told, &["error[TL-0401]: no node answers at http://127.0.0.1:1\n"]);
    let command = told.lines().find_map(|line| line.strip_prefix("  more  throughline ")).unwrap();
    let ended = alone(command, &parts).await;
    assert_eq!(ended.exit, Exit::Done);
    contains(&ended.out, &["TL-0401  UNREACHABLE\n  what  ", "  do    ", "exit code 4"]);
    let count = crate::problem::explained::all().len();
    assert_eq!(alone("explain", &parts).await.out.lines().count(), count + 1);
    let all = alone("explain -o json", &parts).await.out;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&all).unwrap().len(), count);
    assert_eq!(alone("explain TL-9999", &parts).await.exit, Exit::Invalid);
}

#[tokio::test]
async fn a_shell_gets_what_it_completes_with() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = alone(&format!("completions {shell}"), &FakeParts::default()).await;
        assert_eq!((ended.exit, ended.err.as_str()), (Exit::Done, ""));
        contains(&ended.out, &["throughline", "snapshot", "completions"]);
    }
    assert_eq!(alone("completions tcsh", &FakeParts::default()).await.exit, Exit::Usage);
}

#[tokio::test]
async fn indicators_are_listed_and_asked() {
    let ended = asked(Fake::default(), "indicator list").await;
    contains(&ended.out, &["transaction-approval", "ratio", "channel product"]);
    let ended = asked(Fake::default(), "indicator query transaction-success --by channel").await;
    let rows: Vec<&str> = ended.out.lines().collect();
    assert_eq!(rows.len(), 5);
    contains(rows[1], &["mobile-app", "99.0 %", "3,960", "4,000"]);
    contains(&ended.err, &["0.8 s behind live"]);
    let line = "indicator query duration --by channel --value atm --window 1m";
    let ended = asked(Fake::default(), line).await;
    assert_eq!(ended.out.lines().count(), 2);
    contains(&ended.out, &["2,500", "225 ms", "925 ms", "4.00 s"]);
    let ended = asked(Fake::default(), &format!("{line} -o json")).await;
    let answer: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(answer["cells"][0]["durations"]["p50"], "0.225s");
    assert_eq!(answer["asOf"]["complete"], true);
    let ended = asked(Fake::default(), "indicator query activation").await;
    assert_eq!(ended.exit, Exit::NotFound);
}

#[tokio::test]
async fn figures_without_all_ranges_are_marked() {
    let missing = vec![proto::types::RangeId(2)];
    let ended = asked(Fake { missing, ..Fake::default() }, "indicator query duration").await;
    contains(&ended.err, &["△ these are at least the figures: ranges/r2 did not answer"]);
}

#[tokio::test]
async fn snapshots_are_listed_taken_and_checked() {
    let ended = asked(Fake::default(), "snapshot list").await;
    assert_eq!(ended.out.lines().count(), 4);
    contains(&ended.out, &["3.0 MiB", "0.3 s", "NODE", "node-1", "node-2"]);
    let ended = asked(Fake::default(), "snapshot create --request-id now").await;
    assert!(!ended.out.contains("NODE"), "of one node there is nothing to tell apart");
    let ended = asked(Fake::default(), "snapshot create --request-id now -o json").await;
    let snapshot: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(snapshot[0]["name"], "snapshots/of-now");
    let ended = asked(Fake::default(), "snapshot verify s2").await;
    assert_eq!(ended.exit, Exit::Done);
    contains(&ended.out, &["✓ s2 can be restored"]);
    let ended = asked(Fake::default(), "snapshot verify s1").await;
    assert_eq!(ended.exit, Exit::CheckFailed);
    contains(&ended.out, &["■ s1 cannot be restored", "r2/17.sst  has another SHA-256"]);
    assert_eq!(asked(Fake::default(), "snapshot verify s9").await.exit, Exit::NotFound);
}

#[tokio::test]
async fn a_snapshot_is_restored_without_a_node() {
    let ended = alone("snapshot restore 3 --config bank.yaml", &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Done);
    let line = "✓ snapshot 3 of 2023-11-14T22:13:20Z is the local state now: 4 ranges, 3.0 MiB\n";
    assert_eq!(ended.out, line);
    contains(
        &ended.err,
        &[
            "passed over snapshot 4: file 17.sst is missing",
            "Replay 41 commits on top, and go on: throughline run --config bank.yaml",
        ],
    );

    let ended = alone("snapshot restore --dry-run -o json", &FakeParts::default()).await;
    let restored: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&restored["name"], &restored["dryRun"]), (&"snapshots/3".into(), &true.into()));
    let ended = alone("snapshot restore --dry-run", &FakeParts::default()).await;
    contains(&ended.out, &["snapshot 3", "can be restored", "then 41 commits of the journal"]);
    contains(&ended.err, &["Nothing was changed."]);
    assert_eq!(alone("snapshot restore x", &FakeParts::default()).await.exit, Exit::NotFound);
}

#[tokio::test]
async fn a_cluster_is_copied_to_where_a_new_one_begins() {
    let ended = alone("snapshot copy --to new.yaml", &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Done);
    let copied = "8 ranges out of 3 snapshots; 3.0 MiB and 1 commit were new";
    assert_eq!(ended.out, format!("✓ copied to what new.yaml says: {copied}\n"));
    contains(&ended.err, &["snapshot 7 was passed over: file x is missing"]);
    contains(&ended.err, &["throughline run --config new.yaml"]);

    let ended = alone("snapshot copy --to new.yaml -o json", &FakeParts::default()).await;
    let copied: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&copied["ranges"], &copied["commits"]), (&8.into(), &1.into()));
    assert_eq!(alone("snapshot copy", &FakeParts::default()).await.exit, Exit::Usage);
}

#[tokio::test]
async fn a_configuration_is_checked_and_shown() {
    let parts = FakeParts::default();
    let ended = alone("config validate good.yaml", &parts).await;
    assert_eq!((ended.exit, ended.out.lines().count()), (Exit::Done, 1));
    let ended = alone("config validate bad.yaml", &parts).await;
    assert_eq!(ended.exit, Exit::Invalid);
    contains(
        &ended.err,
        &["error[TL-0804]: bad.yaml is not valid\n  why   2:3", "do    remove it"],
    );
    assert_eq!(alone("config show good.yaml", &parts).await.out, "file: good.yaml\n");
    assert_eq!(alone("run --config none.yaml", &parts).await.exit, Exit::NotFound);
}

#[tokio::test]
async fn a_check_of_results_ends_as_the_workload_says() {
    assert_eq!(alone("verify", &FakeParts::default()).await.exit, Exit::CheckFailed);
    assert_eq!(alone("generate", &FakeParts::default()).await.exit, Exit::Done);
}

#[tokio::test]
async fn drills_are_another_program_and_where_it_is_missing_that_is_said() {
    for line in ["drill", "drill run kill-node --repeat 3", "drill --help"] {
        let ended = alone(line, &FakeParts::default()).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::NotFound, ""), "{line}");
        contains(&ended.err, &["TL-0304", "throughline-drill is not beside", "do    make drill"]);
    }
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_the_command_quietly() {
    for line in ["", "--help"] {
        let err = Shared::default();
        let mut io = Io { out: Box::new(Broken), err: Box::new(err.clone()), screen: Screen::None };
        let words = ["throughline"].into_iter().chain(line.split_whitespace());
        let parts = FakeParts::default();
        let exit = execute(words.map(OsString::from).collect(), &parts, &mut io).await;
        assert_eq!((exit, err.text().as_str()), (Exit::Done, ""), "{line:?}");
    }
}

#[tokio::test]
async fn colour_is_only_for_a_screen_that_wants_it() {
    let painted = |screen| {
        let io = Io { out: Box::new(io::sink()), err: Box::new(io::sink()), screen };
        io.paint(super::io::Tone::Good, "✓")
    };
    assert_eq!(painted(Screen::None), "✓");
    assert_eq!(painted(Screen::Plain), "✓");
    assert_eq!(painted(Screen::Coloured), "\x1b[32m✓\x1b[0m");
}

#[tokio::test]
async fn the_demo_without_a_screen_tells_a_line_a_second_and_ends_by_itself() {
    let ended =
        alone("demo --for 1 --api 127.0.0.1:0 --metrics 127.0.0.1:0", &FakeParts::default()).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    contains(&ended.err, &["✓ 16 ranges", "gRPC        127.0.0.1:", "throughline status"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(
        lines,
        [
            "00:01  24,022 tx  joined 23,402  open 608  incomplete 12  corrected 3  doubled, \
             dropped 90  lost 0   0.0 MB/s",
            "00:01  24,022 transactions: 23,402 joined, 12 incomplete, 608 open. 3,000 records \
             read, every one of them accounted for ✓",
        ]
    );
}

#[tokio::test]
async fn a_demo_whose_port_is_refused_stops_what_it_started() {
    // It would wait for ever here if the node were not asked to stop.
    let line = "demo --for 1 --api 0.0.0.0:0 --metrics 127.0.0.1:0";
    let ended = alone(line, &FakeParts::default()).await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Invalid, ""));
    contains(&ended.err, &["error[TL-0805]: cannot listen on 0.0.0.0:0"]);
}

/// Three nodes; the third has nothing yet.
fn cluster() -> Fake {
    Fake { others: 2, ..Fake::default() }
}

#[tokio::test]
async fn who_owns_what_and_what_moves_is_seen_at_a_glance() {
    let ended = asked(cluster(), "cluster status").await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.err);
    assert_eq!(
        ended.out,
        "HEALTHY  bank-test, 3 nodes, 4 ranges, map v42, node-1 leads\n\
         NODE    STATE  RANGES  OPEN  RECORDS/S  BY KEY\n\
         node-1  alive       1   304       6000  ■·■·\n\
         node-2  alive       1   152       6000  ·■··\n\
         node-3  alive       0     0       6000  ·◇··\n  \
         ▲ r1  node-2 → node-3  copied\n"
    );
    let ended = asked(cluster(), "cluster status -o json").await;
    let view: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(view["nodes"][2]["copies"][0], "ranges/r1");
    assert_eq!(view["cluster"]["leader"], "node-1");
    let ended = asked(cluster(), "status").await;
    contains(&ended.out, &["HEALTHY  bank-test, 3 nodes, 4 ranges, map v42, node-1 leads\n"]);
    let reasons = vec!["node-3 is dead".to_owned()];
    let ended = asked(Fake { reasons, ..cluster() }, "cluster status").await;
    assert_eq!(ended.exit, Exit::Unhealthy);
    contains(&ended.out, &["DEGRADED  bank-test", "  ▲ node-3 is dead\n"]);
}

#[tokio::test]
async fn an_operator_is_told_what_was_granted_and_where_to_see_it() {
    let lines = [
        (
            "node drain node-2",
            "✓ node-1 grants it: node-2 gives its ranges to others and gets none\n",
        ),
        (
            "node cordon node-2",
            "✓ node-1 grants it: node-2 keeps the ranges that it has and gets no others\n",
        ),
        ("node undrain node-2", "✓ node-1 grants it: node-2 takes its share of the ranges\n"),
        ("range move r2 --to node-3", "✓ node-1 grants it: r2 moves to node-3\n"),
        ("range split r2 --at 4800000000000000", "✓ node-1 grants it: r2 becomes two ranges\n"),
        (
            "cluster rebalance",
            "✓ node-1 grants it: ranges that were moved by hand go where the plan puts them\n",
        ),
    ];
    for (line, out) in lines {
        let ended = asked(cluster(), line).await;
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Done, out), "{line}");
        contains(&ended.err, &["throughline cluster watch"]);
    }
    let ended = asked(cluster(), "node drain node-2 --dry-run").await;
    contains(&ended.out, &["✓ it would be granted: node-2 gives"]);
    contains(&ended.err, &["Nothing was changed."]);
    let ended = asked(cluster(), "range move r2 --to node-3 --request-id 7 -o json").await;
    let granted: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&granted["leader"], &granted["mapVersion"]), (&"node-1".into(), &"42".into()));
}

#[tokio::test]
async fn what_is_not_granted_says_why_and_what_to_do() {
    let ended = asked(cluster(), "node drain node-9").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::NotFound, ""));
    let told = ["error[TL-0306]: it is not granted\n", "  do    throughline node list"];
    contains(&ended.err, &told);
    let ended = asked(cluster(), "range split r9").await;
    assert_eq!(ended.exit, Exit::Conflict);
    contains(&ended.err, &["error[TL-0606]: node-1 does not grant it\n"]);
    assert_eq!(asked(cluster(), "range move 5 --to node-1").await.exit, Exit::Invalid);
    assert_eq!(asked(cluster(), "range move r5").await.exit, Exit::Usage);
    assert_eq!(asked(cluster(), "range split r5 --at xyz").await.exit, Exit::Usage);
}

#[tokio::test]
async fn who_watches_sees_a_line_for_each_change_until_the_node_ends() {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let fake = cluster();
    let (overviews, stop) = (Arc::clone(&fake.overviews), CancellationToken::new());
    let server = serve(listener, Arc::new(fake), Arc::default(), stop.clone().cancelled_owned());
    TaskTracker::new().spawn(server);
    let line = format!("cluster watch --endpoint {endpoint}");
    let parts = FakeParts::default();
    let turned = async {
        // What the third overview says has been told when the fourth is asked for.
        while overviews.load(std::sync::atomic::Ordering::Relaxed) < 4 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(alone(&line, &parts), turned);
    assert_eq!(ended.exit, Exit::Unreachable);
    let moves =
        ["r0  node-1 → node-2  serving, epoch 7\n", "r0  node-2 → node-1  serving, epoch 7\n"];
    contains(&ended.out, &["HEALTHY  bank-test, 3 nodes", moves[0], moves[1]]);
    contains(&ended.err, &["error[TL-0401]: the node tells nothing more"]);
}
