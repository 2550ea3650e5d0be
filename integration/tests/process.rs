//! The process harness does to real programs what it says: starts, waits, kills, freezes, and tells why one failed.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use integration::http::{get, is_ok};
use integration::process::{Node, Process, script};
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PATIENCE: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(300);

fn shell(folder: &Path, script: &str) -> Process {
    Process::start(Path::new("/bin/sh"), &["-c", script], &folder.join("log")).unwrap()
}

fn runs(pid: u32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

#[tokio::test]
async fn a_line_of_the_log_is_waited_for() {
    let folder = tempdir().unwrap();
    let mut process = shell(folder.path(), "sleep 0.2; echo now ready; exec sleep 100");
    process.wait_line("ready", PATIENCE).await.unwrap();
    assert_eq!(process.ended().unwrap(), None);
}

#[tokio::test]
async fn who_ends_before_it_is_ready_is_reported_with_status_and_log() {
    let folder = tempdir().unwrap();
    let mut process = shell(folder.path(), "echo port 7400 is taken >&2; exit 8");
    let fault = process.wait_line("ready", PATIENCE).await.unwrap_err().to_string();
    assert!(fault.contains("port 7400 is taken") && fault.contains("status: 8"), "{fault}");
}

#[tokio::test]
async fn who_is_not_ready_in_time_is_reported_with_its_log() {
    let folder = tempdir().unwrap();
    let mut process = shell(folder.path(), "echo restoring; exec sleep 100");
    process.wait_line("restoring", PATIENCE).await.unwrap();
    let fault = process.wait_line("ready", SHORT).await.unwrap_err().to_string();
    assert!(fault.contains("not in time") && fault.contains("restoring"), "{fault}");
}

#[tokio::test]
async fn kill9_gives_no_chance_to_clean_up_and_terminate_does() {
    let folder = tempdir().unwrap();
    let script = "trap 'echo cleaned up; exit 3' TERM; echo ready; while :; do sleep 0.05; done";

    let mut killed = shell(folder.path(), script);
    killed.wait_line("ready", PATIENCE).await.unwrap();
    killed.kill9().unwrap();
    assert!(!killed.log().contains("cleaned up"));
    assert!(!runs(killed.pid()));

    let mut asked = shell(folder.path(), script);
    asked
        .wait_until("both started", PATIENCE, async |it| it.log() == "ready\nready\n")
        .await
        .unwrap();
    let status = asked.terminate(PATIENCE).await.unwrap();
    assert_eq!(status.code(), Some(3));
    assert!(asked.log().contains("cleaned up"));
}

#[tokio::test]
async fn who_ignores_the_request_to_end_is_killed_and_reported() {
    let folder = tempdir().unwrap();
    let mut process =
        shell(folder.path(), "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    process.wait_line("ready", PATIENCE).await.unwrap();
    let fault = process.terminate(SHORT).await.unwrap_err().to_string();
    assert!(fault.contains("SIGTERM"), "{fault}");
    assert!(!runs(process.pid()));
}

#[tokio::test]
async fn a_frozen_process_does_nothing_until_it_is_thawed() {
    let folder = tempdir().unwrap();
    let mut process = shell(folder.path(), "while :; do echo tick; sleep 0.01; done");
    process.wait_line("tick", PATIENCE).await.unwrap();
    process.freeze().unwrap();
    tokio::time::sleep(SHORT).await;
    let frozen = process.log();
    tokio::time::sleep(SHORT).await;
    assert_eq!(process.log(), frozen);
    process.thaw().unwrap();
    process
        .wait_until("it ticked", PATIENCE, async |it| it.log().len() > frozen.len())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_process_ends_with_its_value() {
    let folder = tempdir().unwrap();
    let process = shell(folder.path(), "exec sleep 100");
    let pid = process.pid();
    assert!(runs(pid));
    drop(process);
    assert!(!runs(pid));
}

#[tokio::test]
async fn a_process_does_not_outlive_a_test_that_was_killed() {
    let mut child = Command::new(script("leash.sh"))
        .args(["sleep", "100"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(SHORT).await;
    assert_eq!(child.try_wait().unwrap(), None);

    // No `Drop` runs in a killed test: all that happens is that the system closes its pipes.
    drop(child.stdin.take());

    let ended = async {
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(status.signal(), Some(9));
}

#[tokio::test]
async fn an_http_answer_is_told_by_its_status() {
    for (status, expected) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            stream.write_all(format!("HTTP/1.1 {status}\r\n\r\nbody").as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(get(port, "/healthz"), serve);
        assert_eq!(is_ok(&answer.unwrap()), expected, "{status}");
    }
}

#[tokio::test]
async fn a_node_with_a_broken_cluster_file_is_reported_not_waited_for() {
    let folder = tempdir().unwrap();
    let mut node = Node::start(folder.path(), "this is: [no cluster file").unwrap();
    let port = integration::ports::free().unwrap();
    let fault = node.wait_ready(port, PATIENCE).await.unwrap_err().to_string();
    assert!(fault.contains("ended before /healthz answered 200"), "{fault}");
}
