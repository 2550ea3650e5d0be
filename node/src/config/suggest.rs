//! "Did you mean …?": the known word that is nearest to a mistyped one.

/// The nearest of `known` to `word`, if any is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let distances =
        known.into_iter().map(|it| (distance(&word.to_lowercase(), &it.to_lowercase()), it));
    distances.filter(|(distance, _)| *distance <= limit).min_by_key(|it| it.0).map(|it| it.1)
}

/// How many letters must be put in, taken out, changed, or swapped with the next.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (i, a) in one.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let change = last[j] + usize::from(a != *b);
            let mut least = change.min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(*b) && other[j - 1] == a {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(a);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_suggested() {
        let check = |word, expected| {
            assert_eq!(
                nearest(word, ["review", "deliver", "request", "response"]),
                expected,
                "{word}"
            );
        };
        check("revew", Some("review"));
        check("reveiw", Some("review"));
        check("Review", Some("review"));
        check("requst", Some("request"));
        check("card", None);
        check("", None);
    }

    #[test]
    fn a_swap_of_two_letters_is_one_mistake() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
