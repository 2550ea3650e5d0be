//! Lists in pages: the token of the next page is the name of the last item on this one.

use crate::problem::{Code, Problem};

const DEFAULT_ITEMS: usize = 50;
const MOST_ITEMS: usize = 1000;

/// One page, and the token of the next; empty on the last.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: String,
}

/// What a caller asked for.
pub(super) struct Ask<'a> {
    pub(super) size: i32,
    pub(super) token: &'a str,
}

/// The page of `items` that was asked for.
pub(super) fn page<T>(
    mut items: Vec<T>,
    ask: &Ask<'_>,
    name: impl Fn(&T) -> &str,
) -> Result<Page<T>, Problem> {
    let start = match ask.token {
        "" => 0,
        token => 1 + items.iter().position(|item| name(item) == token).ok_or_else(expired)?,
    };
    let size = match usize::try_from(ask.size) {
        Err(_) | Ok(0) => DEFAULT_ITEMS,
        Ok(size) => size.min(MOST_ITEMS),
    };
    let mut items = items.split_off(start);
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|last| name(last).to_owned());
    Ok(Page { next: next.unwrap_or_default(), items })
}

fn expired() -> Problem {
    let why = "the item after which the page begins is no longer in the list";
    Problem::new(Code::PageTokenExpired, "cannot go on with that page token", why)
        .remedy("begin again without a page token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("n{i:04}")).collect()
    }

    fn ask(count: usize, size: i32, token: &str) -> Result<Page<String>, Problem> {
        page(names(count), &Ask { size, token }, String::as_str)
    }

    #[test]
    fn following_the_tokens_gives_every_item_once() {
        for count in [0, 1, 2, 3, 4, 9] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = ask(count, 3, &token).unwrap();
                seen.extend(page.items);
                token = page.next;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, names(count));
        }
    }

    #[test]
    fn a_page_has_fifty_items_unless_asked_and_never_more_than_a_thousand() {
        assert_eq!(ask(3000, 0, "").unwrap().items.len(), DEFAULT_ITEMS);
        assert_eq!(ask(3000, -1, "").unwrap().items.len(), DEFAULT_ITEMS);
        assert_eq!(ask(3000, 2000, "").unwrap().items.len(), MOST_ITEMS);
    }

    #[test]
    fn a_token_whose_item_is_gone_is_refused_rather_than_skipping_items() {
        let Err(problem) = ask(3, 3, "n0009") else { panic!("was accepted") };
        assert_eq!(problem.code, Code::PageTokenExpired);
    }
}
