//! Who gets a directory, and when.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// Tells the re-executed test binary that it is the child, and which directory to hold.
const CHILD_DIR: &str = "THROUGHLINE_TEST_CHILD_LOCK";

#[test]
fn the_second_is_refused_and_told_who_holds_the_directory_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let held = DirLock::acquire(&data).unwrap();
    let told = DirLock::acquire(&data).unwrap_err().to_string();
    let pid = std::process::id();
    let expected = format!(
        "{} is in use by process {pid}: stop that process, or give this one a data directory of its own",
        data.display()
    );
    assert_eq!(told, expected);
    drop(held);
    DirLock::acquire(&data).unwrap();
}

#[test]
fn a_shorter_pid_replaces_a_longer_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("lock"), "12345678901234\n").unwrap();
    let _held = DirLock::acquire(dir.path()).unwrap();
    let signed = std::fs::read_to_string(dir.path().join("lock")).unwrap();
    assert_eq!(signed, format!("{}\n", std::process::id()));
}

#[test]
fn a_holder_that_has_not_signed_yet_is_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = File::create(dir.path().join("lock")).unwrap();
    file.lock().unwrap();
    let told = DirLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(told, LockError::Held { holder, .. } if holder == "another process"));
}

/// The child of the next test: holds the directory until it is killed. By itself it does nothing.
#[test]
fn child_that_holds_a_directory_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let _held = DirLock::acquire(Path::new(&dir)).unwrap();
    writeln!(std::io::stdout(), "held").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_process_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("lock::tests::child_that_holds_a_directory_until_it_is_killed")
        .env(CHILD_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let holds = said.any(|line| line.ends_with("held"));
    let refused = DirLock::acquire(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(holds);
    let holder = format!("process {}", child.id());
    assert!(matches!(refused, Err(LockError::Held { holder: told, .. }) if told == holder));
    DirLock::acquire(dir.path()).unwrap();
}
