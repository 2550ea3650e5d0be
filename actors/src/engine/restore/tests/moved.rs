//! A range whose past lies in the journals of several nodes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// node-1 with commits 1 to 3, node-2 with 4 to 6 and snapshot 1 at 5, then node-1 again, in the same life,
/// with 7 and 8. The sink had 5 rows. node-2 has it from then on.
async fn there_and_back() -> World {
    let mut world = World::new();
    world.life = life("node-2", 1);
    world.others_commit().await;
    world.life = life("node-1", 1);
    world.commit(3, 1).await;
    let folder = world.stores.folder(RANGE);
    world.stores.open(RANGE).unwrap().checkpoint(&folder).unwrap();
    world.moves_to(life("node-2", 1));
    world.commit(2, 3).await;
    world.snapshot(1).await;
    world.others_commit().await;
    world.commit(1, 3).await;
    world.moves_to(life("node-1", 1));
    world.others_commit().await;
    world.commit(2, 5).await;
    world.moves_to(life("node-2", 1));
    world
}

#[tokio::test]
async fn i1_a_range_that_went_away_and_came_back_is_restored_in_the_order_of_its_epochs() {
    let world = there_and_back().await;
    let before = world.rows();
    // What node-1 had when it gave the range up for the first time: behind it, and still of its past.
    world.stores.adopt(RANGE).unwrap();
    world.check(Origin::Local, 6, &before).await;
    world.lose_state();
    world.check(Origin::Snapshot(1), 6, &before).await;
    world.lose_state();
    world.damage(1).await;
    world.check(Origin::Journal, 6, &before).await;
}

#[tokio::test]
async fn i10_of_each_journal_goes_what_is_behind_the_snapshot() {
    let world = there_and_back().await;
    let before = world.rows();
    // The snapshot stands at slot 3 of node-2, and its rows 4 and 5 wait, of slots 2 and 3. Of node-1 it needs
    // what was committed after the range had come back: slots 4 to 6.
    assert_eq!(world.tidy(1).await, Tidied { snapshots: 0, slots: 3 + 1, files: 0 });
    assert_eq!(world.slots(1).await, [4, 5, 6]);
    world.lose_state();
    world.check(Origin::Snapshot(1), 6, &before).await;

    let journal = world.journal(&life("node-1", 1));
    journal.trim(Slot(5)).await.unwrap();
    world.lose_state();
    let refused = world.restore().await.unwrap_err().to_string();
    assert!(refused.contains("has commits up to 6, but the next in the journal is 8"), "{refused}");
}

#[tokio::test]
async fn i4_a_state_beyond_the_place_where_the_range_was_given_up_is_of_another_past() {
    let mut world = World::new();
    world.commit(3, 1).await;
    world.moves_to(life("node-2", 1));
    let before = world.rows();
    // The owner has not heard of it, and its store has one commit more; the journal has it under the old epoch.
    let epoch = std::mem::replace(&mut world.epoch, Epoch::NONE.next());
    let (next, live) = (world.life.clone(), world.live.clone());
    world.life = life("node-1", 1);
    world.commit(1, 1).await;
    (world.life, world.epoch, world.live, world.commit) = (next, epoch, live, 3);
    world.check(Origin::Journal, 2, &before).await;
}

#[tokio::test]
async fn i10_who_gave_a_range_up_lets_nothing_go_that_its_next_owner_needs() {
    let mut world = World::new();
    world.commit(2, 2).await;
    world.snapshot(1).await;
    world.commit(4, 5).await;
    let before = world.rows();
    world.moves_to(life("node-2", 1));
    // Of node-1, which owns nothing any more: behind the snapshot are slots 3 to 6.
    assert_eq!(world.tidy(1).await.slots, 1);
    assert_eq!(world.slots(1).await, [2, 3, 4, 5, 6], "row 2 was not known to be delivered");
    world.lose_state();
    world.check(Origin::Snapshot(1), 6, &before).await;
}

#[tokio::test]
async fn i10_what_an_owner_let_go_before_it_got_the_range_is_not_missed() {
    let mut world = World::new();
    world.life = life("node-2", 1);
    for _ in 0..4 {
        world.others_commit().await;
    }
    for slot in 1..=2 {
        world.journal(&world.life).trim(Slot(slot)).await.unwrap();
    }
    world.life = life("node-1", 1);
    world.commit(3, 1).await;
    world.snapshot(1).await;
    world.moves_to(life("node-2", 1));
    // The control log does not know at which slot of node-2 it came.
    world.from = Slot(0);
    world.commit(2, 3).await;
    world.tidy(1).await;
    let before = world.rows();
    let owned = world.from;
    world.next_life().await;
    world.lose_state();
    world.check(Origin::Snapshot(1), 4, &before).await;

    // With a snapshot of node-2 what is not there may have gone behind that one.
    world.past.pop();
    (world.life, world.from, world.epoch) = (life("node-2", 1), owned, Epoch::new(2));
    world.snapshot(2).await;
    world.next_life().await;
    world.lose_state();
    world.check(Origin::Snapshot(2), 4, &before).await;
    world.lose_state();
    world.damage(2).await;
    let refused = world.restore().await.unwrap_err().to_string();
    assert!(refused.contains("snapshot 1: it needs slot s1 of journal node-2/1"), "{refused}");
}

/// node-2 trimmed slots 1 to 3 before it got the range. Then slot 1 was written once more, by a write that had been
/// given up on; where it has something of the range it is none of these, and slots have been lost.
async fn with_slot_1_again(is_of_the_range: bool) -> Result<(), String> {
    let mut world = World::new();
    world.commit(3, 1).await;
    world.snapshot(1).await;
    let owner = life("node-2", 1);
    world.moves_to(owner.clone());
    if is_of_the_range {
        world.commit(1, 1).await;
    } else {
        world.others_commit().await;
    }
    world.ends.insert(owner, Slot(3));
    world.commit(2, 3).await;
    world.next_life().await;
    world.lose_state();
    world.restore().await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn i10_a_slot_that_was_written_late_is_not_where_a_range_began() {
    assert_eq!(with_slot_1_again(false).await, Ok(()));
}

#[tokio::test]
async fn i10_what_a_range_has_in_front_of_a_gap_shows_that_it_is_one() {
    let refused = with_slot_1_again(true).await.unwrap_err();
    assert!(refused.contains("slot s2 of journal node-2/1 is gone"), "{refused}");
}

#[tokio::test]
async fn i10_a_range_that_came_before_its_owners_journal_was_listed_is_not_overlooked() {
    let mut world = World::new();
    world.commit(2, 1).await;
    world.snapshot(1).await;
    let mut earlier = world.view();
    world.moves_to(life("node-2", 1));
    earlier.lives.insert(world.life.clone());
    world.commit(3, 3).await;
    let before = world.rows();
    let (is_first, now) = (AtomicBool::new(true), world.view());
    let look =
        || if is_first.swap(false, Ordering::Relaxed) { earlier.clone() } else { now.clone() };
    world.tidy_as(1, &look).await;
    world.next_life().await;
    world.lose_state();
    world.check(Origin::Snapshot(1), 4, &before).await;
}

#[tokio::test]
async fn i10_what_goes_while_it_is_to_be_read_is_no_gap_that_goes_unnoticed() {
    let mut world = World::new();
    world.commit(3, 1).await;
    world.next_life().await;
    let holdings = [world.holding()];
    let listed = list(&holdings).await.unwrap();
    // The last commit of all: none follows that could show that it is missing.
    world.journal(&life("node-1", 1)).trim(Slot(3)).await.unwrap();
    let (standing, origin) = (Standing::nowhere(RANGE), Origin::Journal);
    let store = world.stores.open(RANGE).unwrap();
    let mut opened = [Opened { store, standing, origin, read: None }];
    let trimmed = replay(&holdings, &listed, &mut opened).await.unwrap_err();
    assert!(matches!(trimmed, RestoreError::Trimmed { slot: Slot(3), .. }), "{trimmed}");
}
