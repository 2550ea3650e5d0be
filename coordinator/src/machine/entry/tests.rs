//! Entries come out as they went in, read as JSON, and are refused where this version cannot know them.

use std::num::NonZeroU16;

use proto::types::Incarnation;

use super::*;

fn member(node: &str, incarnation: u64) -> Member {
    Member { node: NodeId::new(node).unwrap(), incarnation: Incarnation(incarnation) }
}

fn division(range: u16, start: u64, end: u64) -> Division {
    Division { range: RangeId(range), keys: KeyRange::new(start, end).unwrap() }
}

/// Each kind of change that the first format knew.
fn changes() -> Vec<(Change, &'static str)> {
    let (range, epoch) = (RangeId(65_535), Epoch::new(u64::MAX));
    let keys = KeyRange::new(0x8000_0000_0000_0000, 0).unwrap();
    vec![
        (
            Change::Leader { candidate: NodeId::new("node-1").unwrap() },
            r#"{"kind":"leader","candidate":"node-1"}"#,
        ),
        (
            Change::Joined { member: member("node-1", 2), address: "10.0.0.1:7700".into() },
            r#"{"kind":"joined","member":{"node":"node-1","incarnation":2},"address":"10.0.0.1:7700"}"#,
        ),
        (
            Change::Dead { member: member("node-1", 1), fenced_at: Slot(9) },
            r#"{"kind":"dead","member":{"node":"node-1","incarnation":1},"fencedAt":9}"#,
        ),
        (
            Change::Divided { ranges: vec![Division { range, keys }], keying: Keying::default() },
            r#"{"kind":"divided","ranges":[{"range":65535,"keys":"8000000000000000-0000000000000000"}]}"#,
        ),
        (
            Change::Assigned {
                assignments: vec![Assignment { range, member: member("node-1", 2), epoch }],
            },
            r#"{"kind":"assigned","assignments":[{"range":65535,"member":{"node":"node-1","incarnation":2},"epoch":18446744073709551615}]}"#,
        ),
        (
            Change::Released {
                member: member("node-1", 2),
                releases: vec![Release { range, epoch: Epoch::new(3), to: Slot(12) }],
            },
            r#"{"kind":"released","member":{"node":"node-1","incarnation":2},"releases":[{"range":65535,"epoch":3,"to":12}]}"#,
        ),
    ]
}

/// Each kind of change that the second format added.
fn later_changes() -> Vec<(Change, &'static str)> {
    let node = NodeId::new("node-1").unwrap();
    let intended = |intent| Change::Intended { node: node.clone(), intent };
    vec![
        (intended(Intent::Cordon), r#"{"kind":"intended","node":"node-1","intent":"cordon"}"#),
        (intended(Intent::Drain), r#"{"kind":"intended","node":"node-1","intent":"drain"}"#),
        (intended(Intent::Serve), r#"{"kind":"intended","node":"node-1","intent":"serve"}"#),
        (
            Change::Moved {
                member: member("node-1", 2),
                handovers: vec![Handover {
                    range: RangeId(7),
                    to: Slot(12),
                    next: member("node-2", 1),
                    epoch: Epoch::new(4),
                }],
            },
            r#"{"kind":"moved","member":{"node":"node-1","incarnation":2},"handovers":[{"range":7,"to":12,"next":{"node":"node-2","incarnation":1},"epoch":4}]}"#,
        ),
        (
            Change::Split {
                member: member("node-1", 2),
                range: RangeId(7),
                to: Slot(12),
                epoch: Epoch::new(4),
                children: vec![division(8, 0x10, 0x20), division(9, 0x20, 0)],
            },
            r#"{"kind":"split","member":{"node":"node-1","incarnation":2},"range":7,"to":12,"epoch":4,"children":[{"range":8,"keys":"0000000000000010-0000000000000020"},{"range":9,"keys":"0000000000000020-0000000000000000"}]}"#,
        ),
        (
            Change::Merged {
                member: member("node-1", 2),
                left: RangeId(8),
                right: RangeId(9),
                to: Slot(13),
                epoch: Epoch::new(5),
                child: division(10, 0x10, 0),
            },
            r#"{"kind":"merged","member":{"node":"node-1","incarnation":2},"left":8,"right":9,"to":13,"epoch":5,"child":{"range":10,"keys":"0000000000000010-0000000000000000"}}"#,
        ),
    ]
}

/// Each kind of change that the third format added.
fn latest_changes() -> Vec<(Change, &'static str)> {
    vec![(
        Change::Leaving { member: member("node-1", 2) },
        r#"{"kind":"leaving","member":{"node":"node-1","incarnation":2}}"#,
    )]
}

/// Each kind of change that the fourth format added.
fn newest_changes() -> Vec<(Change, &'static str)> {
    let keys = KeyRange::FULL;
    let keying = Keying::by(NonZeroU16::new(24).unwrap());
    vec![(
        Change::Divided { ranges: vec![Division { range: RangeId(0), keys }], keying },
        r#"{"kind":"divided","ranges":[{"range":0,"keys":"0000000000000000-0000000000000000"}],"keying":24}"#,
    )]
}

fn sealed(content: &str) -> Bytes {
    envelope::seal(MAGIC, 1, 1, content.as_bytes())
}

/// The format is a promise: who changes it must raise the format's number.
#[test]
fn each_kind_of_entry_has_this_form() {
    let changes = [changes(), later_changes(), latest_changes(), newest_changes()];
    for (format, changes) in (1..).zip(changes) {
        for (change, json) in changes {
            let entry = Entry { term: Term(3), change };
            let object = entry.seal(5);
            let content = envelope::open(MAGIC, &object).unwrap().content;
            let expected = format!(r#"{{"term":3,"change":{json}}}"#);
            assert_eq!(str::from_utf8(content).unwrap(), expected);
            let head = format!("TLCL {format} {format} 0000000000000005 ");
            assert!(object.starts_with(head.as_bytes()), "{object:?}");
            assert_eq!(Entry::open(&object).unwrap(), entry);
        }
    }
}

/// The bytes as the version before this one wrote them: what is in a store must be read for ever.
#[test]
fn an_entry_of_the_first_format_is_read_and_written_as_it_was() {
    let object = b"TLCL 1 1 0000000000000005 28e5ab62\n{\"term\":3,\"change\":{\"kind\":\"leader\",\"candidate\":\"node-1\"}}";
    let entry = Entry { term: Term(3), change: changes().remove(0).0 };
    assert_eq!(Entry::open(object).unwrap(), entry);
    assert_eq!(&entry.seal(5)[..], object);
}

#[test]
fn two_attempts_to_write_the_same_differ() {
    let entry = Entry { term: Term(1), change: changes().remove(0).0 };
    assert_ne!(entry.seal(1), entry.seal(2));
}

#[test]
fn a_field_that_a_later_version_added_is_passed_over() {
    let object = sealed(
        r#"{"term":1,"since":4,"change":{"kind":"leader","candidate":"node-1","zone":"a"}}"#,
    );
    let change = Change::Leader { candidate: NodeId::new("node-1").unwrap() };
    assert_eq!(Entry::open(&object).unwrap(), Entry { term: Term(1), change });
}

#[test]
fn content_that_breaks_a_rule_of_its_type_is_refused() {
    for content in [
        "",
        "{}",
        r#"{"term":1,"change":{"kind":"elected","candidate":"node-1"}}"#,
        r#"{"term":1,"change":{"kind":"leader","candidate":"../node"}}"#,
        r#"{"term":-1,"change":{"kind":"leader","candidate":"node-1"}}"#,
        r#"{"term":1,"change":{"kind":"divided","ranges":[{"range":0,"keys":"5-5"}]}}"#,
        r#"{"term":1,"change":{"kind":"divided","ranges":[{"range":0,"keys":"5"}]}}"#,
        r#"{"term":1,"change":{"kind":"divided","ranges":[{"range":65536,"keys":"0-0"}]}}"#,
    ] {
        let opened = Entry::open(&sealed(content));
        assert!(matches!(opened, Err(EntryError::Content(_))), "{content}: {opened:?}");
    }
}

#[test]
fn an_entry_from_a_version_that_this_one_cannot_follow_says_so() {
    let error = Entry::open(b"TLCL 9 8 0000000000000000 00000000\n{}").unwrap_err();
    let newer = EnvelopeError::Newer { format: 9, min_reader: 8 };
    assert!(matches!(&error, EntryError::Envelope(found) if *found == newer), "{error:?}");
    assert!(newer.to_string().contains("start the newer version"), "{newer}");
}
