//! Walks a JSON text once: refuses what is not JSON, and notes where the wanted values stand.

use super::text::{escape_end, is_finite};
use crate::machine::json::plain_end;

/// Containers within containers at most, as `serde_json` has it: the 128th is refused.
const DEPTH: u8 = 128;

/// Members of one object that may be wanted; their "seen" marks are the bits of one word.
pub(super) const WANTED_MEMBERS: usize = 64;

/// Where a value stands in the text, `start..end`; `None` where the text has no such value.
pub(super) type Span = Option<(usize, usize)>;

/// What makes a text no JSON.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// The wanted pointers as a tree; each has a number, its *capture*.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    root: Node,
    captures: usize,
}

#[derive(Debug, Default)]
struct Node {
    capture: Option<usize>,
    members: Vec<(Box<[u8]>, Self)>,
}

impl Wanted {
    /// The capture of the RFC 6901 `pointer`, new or known; `None` where that is no pointer, or wants
    /// too many members of one object.
    pub(super) fn intern(&mut self, pointer: &str) -> Option<usize> {
        let mut node = &mut self.root;
        if !pointer.is_empty() {
            for token in pointer.strip_prefix('/')?.split('/') {
                let name = token.replace("~1", "/").replace("~0", "~").into_bytes();
                node = node.member_or_new(name.into_boxed_slice())?;
            }
        }
        if node.capture.is_none() {
            node.capture = Some(self.captures);
            self.captures += 1;
        }
        node.capture
    }

    /// How many captures there are.
    pub(super) const fn captures(&self) -> usize {
        self.captures
    }
}

impl Node {
    fn member_or_new(&mut self, name: Box<[u8]>) -> Option<&mut Self> {
        let place = self.place(&name).unwrap_or_else(|| {
            self.members.push((name, Self::default()));
            self.members.len() - 1
        });
        (place < WANTED_MEMBERS).then(|| &mut self.members[place].1)
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.members.iter().position(|(it, _)| **it == *name)
    }

    /// The member `name`, unless the object has had one of that name: the first counts.
    #[inline]
    fn first(&self, name: &[u8], seen: &mut u64) -> Option<&Self> {
        if seen.count_ones() as usize == self.members.len() {
            return None;
        }
        let place = self.place(name)?;
        let bit = 1 << place;
        let is_first = *seen & bit == 0;
        *seen |= bit;
        is_first.then(|| &self.members[place].1)
    }

    /// The same for a name with its quotes.
    #[inline]
    fn named(&self, quoted: &[u8], is_escaped: bool, seen: &mut u64) -> Option<&Self> {
        if is_escaped {
            let name: String = serde_json::from_slice(quoted).ok()?;
            return self.first(name.as_bytes(), seen);
        }
        self.first(&quoted[1..quoted.len() - 1], seen)
    }
}

/// Walks all of `text`, which must be UTF-8, and notes in `spans` where the captures of `wanted` stand.
pub(super) fn scan(text: &[u8], wanted: &Wanted, spans: &mut [Span]) -> Result<(), Fault> {
    let mut walk = Walk { text, at: 0, expected: "", spans };
    walk.whole(&wanted.root).map_err(|Stop| Fault { at: walk.at, expected: walk.expected })
}

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    expected: &'static str,
    spans: &'a mut [Span],
}

/// The walk ended at a fault; the walk itself knows which. Empty, so that each step returns in a register.
struct Stop;

impl Walk<'_> {
    /// The next byte; 0, which JSON has nowhere, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blank(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[cold]
    const fn stop<T>(&mut self, expected: &'static str) -> Result<T, Stop> {
        self.expected = expected;
        Err(Stop)
    }

    fn whole(&mut self, root: &Node) -> Result<(), Stop> {
        self.blank();
        self.value(Some(root), DEPTH)?;
        self.blank();
        if self.at == self.text.len() { Ok(()) } else { self.stop("nothing more") }
    }

    fn value(&mut self, node: Option<&Node>, depth: u8) -> Result<(), Stop> {
        let start = self.at;
        match self.peek() {
            b'"' => drop(self.string()?),
            b'-' | b'0'..=b'9' => self.number()?,
            b'{' | b'[' if depth == 1 => return self.stop("less than 128 levels"),
            b'{' => self.object(node, depth - 1)?,
            b'[' => self.array(node, depth - 1)?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => return self.stop("a value"),
        }
        if let Some(capture) = node.and_then(|node| node.capture) {
            self.spans[capture] = Some((start, self.at));
        }
        Ok(())
    }

    fn object(&mut self, node: Option<&Node>, depth: u8) -> Result<(), Stop> {
        self.at += 1;
        self.blank();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        let mut seen = 0;
        loop {
            if self.peek() != b'"' {
                return self.stop("a name in quotes");
            }
            let start = self.at;
            let is_escaped = self.string()?;
            let name = &self.text[start..self.at];
            let member = node.and_then(|node| node.named(name, is_escaped, &mut seen));
            self.blank();
            if self.peek() != b':' {
                return self.stop("a colon");
            }
            self.at += 1;
            self.blank();
            self.value(member, depth)?;
            if self.ends(b'}', "a comma or }")? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, node: Option<&Node>, depth: u8) -> Result<(), Stop> {
        self.at += 1;
        self.blank();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        let node = node.filter(|node| !node.members.is_empty());
        let (mut index, mut seen) = (0_u64, 0);
        loop {
            let mut name = itoa::Buffer::new();
            let member = node.and_then(|node| node.first(name.format(index).as_bytes(), &mut seen));
            self.value(member, depth)?;
            index += 1;
            if self.ends(b']', "a comma or ]")? {
                return Ok(());
            }
        }
    }

    /// Goes over what follows a member or an element: whether it was `closing`, or a comma.
    #[inline]
    fn ends(&mut self, closing: u8, expected: &'static str) -> Result<bool, Stop> {
        self.blank();
        let next = self.peek();
        if next != b',' && next != closing {
            return self.stop(expected);
        }
        self.at += 1;
        if next == b',' {
            self.blank();
        }
        Ok(next == closing)
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Stop> {
        if !self.text[self.at..].starts_with(word) {
            return self.stop("true, false or null");
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<(), Stop> {
        let start = self.at;
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        let mut may_overflow = self.at - start > 300;
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
            may_overflow = true;
        }
        if may_overflow && !is_finite(&self.text[start..self.at]) {
            return self.stop("a number below 1.8e308");
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Stop> {
        let rest = &self.text[self.at..];
        let count = rest.iter().position(|it| !it.is_ascii_digit()).unwrap_or(rest.len());
        if count == 0 {
            return self.stop("a digit");
        }
        self.at += count;
        Ok(())
    }

    /// Goes over a string with its quotes: whether it has escape sequences.
    #[inline]
    fn string(&mut self) -> Result<bool, Stop> {
        self.at = plain_end(self.text, self.at + 1);
        if self.peek() == b'"' {
            self.at += 1;
            return Ok(false);
        }
        self.escaped_string()
    }

    #[inline(never)]
    fn escaped_string(&mut self) -> Result<bool, Stop> {
        while self.peek() == b'\\' {
            let Some(end) = escape_end(self.text, self.at) else {
                return self.stop("an escape sequence");
            };
            self.at = plain_end(self.text, end);
        }
        if self.peek() != b'"' {
            return self.stop("a closing quote");
        }
        self.at += 1;
        Ok(true)
    }
}
