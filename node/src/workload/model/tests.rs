//! Rules of the model: it is a function, its shares are met, and its oddities leave no room for chance.

use super::*;

fn model(change: impl Fn(&mut Params)) -> Model {
    let mut params = Params::of(100_000);
    change(&mut params);
    params.check(8).unwrap();
    Model::new(params)
}

fn all(model: &Model) -> Vec<Transaction> {
    (0..model.params().transactions).map(|index| model.transaction(index)).collect()
}

/// 2,000 transactions a second for 5,000 s would be too many to test with; 20 a second are enough.
fn long(it: &mut Params) {
    (it.rate, it.transactions, it.lateness_s, it.max_delay_s) = (50, 100_000, 600, 300);
}

fn share(text: &str) -> Share {
    text.parse().unwrap()
}

#[test]
fn an_id_leads_back_to_its_transaction_and_no_other_text_does() {
    let model = model(|_| {});
    for index in [0, 1, 99_999] {
        assert_eq!(model.index_of(&model.id(index)), Some(index));
    }
    let id = model.id(5);
    for foreign in [
        model.id(100_000),
        id.to_uppercase(),
        id[1..].to_owned(),
        format!("{id}0"),
        format!("0{}", &id[1..]).replace(&id, "x"),
        "é".repeat(16),
        String::new(),
    ] {
        assert_eq!(model.index_of(&foreign), None, "{foreign}");
    }
    let mut altered = id.into_bytes();
    altered[0] = if altered[0] == b'0' { b'1' } else { b'0' };
    assert_eq!(model.index_of(&String::from_utf8(altered).unwrap()), None);
}

/// The workload of a seed never changes unnoticed: old expected outcomes would no longer fit.
#[test]
fn the_model_of_a_version_stays_what_it_is() {
    let model = model(|_| {});
    let fold = |sum: u64, it: Transaction| {
        let [trace, _, response] = it.arrival_ms;
        mix(sum ^ trace ^ response.rotate_left(20) ^ it.content.filler_seed ^ it.event_ms[2])
    };
    let digest = all(&model).into_iter().fold(0, fold);
    assert_eq!((MODEL_VERSION, model.id(0).as_str(), digest), GOLDEN);
}

const GOLDEN: (u32, &str, u64) = 
    (1, "03c860c258e930d2f871d64e15b7ed0f", 17_355_498_664_822_026_935);

#[test]
fn the_default_shares_are_met() {
    let transactions = all(&model(|_| {}));
    let missing = transactions.iter().filter(|it| !it.completes()).count();
    let doubled = transactions.iter().filter(|it| it.duplicate.is_some()).count();
    assert!((900..1_100).contains(&missing), "{missing} of 1,000 missing");
    assert!((150..250).contains(&doubled), "{doubled} of 200 doubled");
    assert!(transactions.iter().all(|it| !matches!(it.fate, Fate::Late(_) | Fate::Conflict(..))));
}

#[test]
fn times_keep_to_the_workload() {
    let model = model(|it| it.rate = 10);
    let end = model.params().end_ms();
    let mut answers = Vec::new();
    let mut prompt = 0;
    for it in all(&model) {
        let [trace, request, response] = it.event_ms;
        assert_eq!(trace, model.params().t0_ms + it.index * 100);
        assert!((5..=80).contains(&(request - trace)));
        answers.push(response - request);
        for leg in 0..3 {
            let delay = it.arrival_ms[leg] - it.event_ms[leg];
            assert!(delay <= 3_600_000 && (it.arrival_ms[leg] <= end || delay == 0));
            prompt += u64::from(delay < 2_000);
        }
    }
    answers.sort_unstable();
    assert!((170..190).contains(&answers[50_000]), "median {}", answers[50_000]);
    assert!((3_700..4_300).contains(&answers[99_000]), "p99 {}", answers[99_000]);
    assert!((290_000..293_000).contains(&prompt), "{prompt} of 291,000 within 2 s");
}

#[test]
fn no_natural_delay_lets_a_transaction_expire() {
    let model = model(long);
    for it in all(&model) {
        let first = it.arrival_ms.iter().min().unwrap();
        let last = it.arrival_ms.iter().max().unwrap();
        let copy = it.duplicate.map_or(0, |(_, arrival)| arrival);
        assert!(copy.max(*last) < first + model.params().patience_ms());
    }
}

#[test]
fn a_correction_comes_well_after_its_deadline_while_the_run_goes_on() {
    let model = model(|it| {
        long(it);
        it.oddities.late = share("2%");
    });
    let mut late = 0;
    for it in all(&model) {
        let Fate::Late(leg) = it.fate else { continue };
        late += 1;
        let others = Leg::ALL.iter().filter(|&&other| other != leg);
        let first = others.map(|other| it.arrival_ms[other.index()]).min().unwrap();
        let arrival = it.arrival_ms[leg.index()];
        assert!(arrival >= first + model.params().patience_ms() + 200_000);
        assert!(arrival <= model.params().last_start_ms());
        assert_eq!(it.duplicate, None);
    }
    // A run of 2,000 s leaves the first 850 s or so to those that can still be corrected in it.
    assert!((500..1_200).contains(&late), "{late} late");
}

#[test]
fn a_contradicting_copy_comes_well_after_all_legs() {
    let model = model(|it| it.oddities.conflicts = share("5%"));
    let mut conflicts = 0;
    for it in all(&model) {
        let Fate::Conflict(_, copy) = it.fate else { continue };
        conflicts += 1;
        assert!(it.arrival_ms.iter().all(|arrival| copy >= arrival + 150_000));
        assert_eq!((it.duplicate, it.lacking()), (None, None));
    }
    assert!((4_700..5_300).contains(&conflicts), "{conflicts} of 5,000");
}

#[test]
fn a_leg_that_is_never_sent_is_not_sent_twice() {
    let model = model(|it| {
        (it.oddities.missing, it.oddities.duplicates) = (share("50%"), share("50%"));
    });
    for it in all(&model) {
        assert!(it.duplicate.is_none_or(|(leg, _)| it.lacking() != Some(leg)));
    }
}
