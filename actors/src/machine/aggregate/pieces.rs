//! A report in pieces, for whoever carries only so much at once.

use super::{Report, Since};
use crate::machine::partial::Row;

impl Report {
    /// The report in pieces of about so many bytes. Each but the last says that it has only what changed behind its
    /// own commit, which joins on to nothing: so the range stands as of the report once the last has come, and is
    /// found wanting where it has not. They are to be taken in in their order.
    #[must_use]
    pub fn pieces(self, bytes: usize) -> Vec<Self> {
        let cuts = cuts(&self.cells, bytes);
        if cuts.is_empty() {
            return vec![self];
        }
        let cells = std::sync::Arc::clone(&self.cells);
        let ends = cuts.iter().copied().chain([cells.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let since = Since::Sequence(self.stamp.sequence);
        let piece = |(start, end): (usize, usize)| {
            let since = if end == cells.len() { self.since } else { since };
            Self { since, cells: cells[start..end].into(), ..self.clone() }
        };
        starts.zip(ends).map(piece).collect()
    }
}

/// Before which rows a new piece begins.
pub(crate) fn cuts(rows: &[Row], bytes: usize) -> Vec<usize> {
    let (mut cuts, mut size) = (Vec::new(), 0);
    for (place, row) in rows.iter().enumerate() {
        let more = row.key.len() + row.value.len();
        if size > 0 && size + more > bytes {
            cuts.push(place);
            size = 0;
        }
        size += more;
    }
    cuts
}
