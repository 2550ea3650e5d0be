//! One file, read line by line from any line on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use proto::types::Offset;

use super::super::{Limit, Partition, Progress, Record, SourceError};
use super::line::{Parsed, parse};
use super::unreachable;

/// I13: a longer line is not kept in memory; its beginning stands for it.
const LINE_BYTES: usize = 16 << 20;
const BEGINNING_BYTES: usize = 64 << 10;

/// Every so many lines the index remembers where one begins.
const STRIDE: u64 = 4096;

/// A file that is open for reading.
pub(super) struct Reading {
    path: PathBuf,
    name: String,
    file: BufReader<File>,
    /// The line that begins at byte `at`: everything below was read.
    next: u64,
    at: u64,
    /// How long the file was when its end was last seen.
    looked: u64,
    /// Whether a fault left the file's position unknown.
    is_lost: bool,
    /// The line that the next read hands over first.
    wanted: u64,
    /// Where the lines 0, 4,096, 8,192 … begin, as far as they were read.
    index: Vec<u64>,
    line: Vec<u8>,
    /// Asks to be woken when the file no longer has this size.
    wait: Box<dyn Fn(u64) + Send>,
}

impl Reading {
    pub(super) fn open(
        path: &Path,
        name: String,
        from: Offset,
        wait: Box<dyn Fn(u64) + Send>,
    ) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|fault| {
            if fault.kind() == io::ErrorKind::NotFound {
                return SourceError::Missing(path.display().to_string());
            }
            unreachable(path, fault)
        })?;
        Ok(Self {
            path: path.to_owned(),
            name,
            file: BufReader::with_capacity(256 << 10, file),
            next: 0,
            at: 0,
            looked: 0,
            is_lost: false,
            wanted: from.0,
            index: vec![0],
            line: Vec::new(),
            wait,
        })
    }

    /// Reads the next whole line into `self.line`, without its end: whether there is one.
    fn take_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let mut size = 0;
        loop {
            let room = (LINE_BYTES + 1).saturating_sub(self.line.len());
            let piece = self.file.fill_buf()?;
            if piece.is_empty() {
                // Half a line: read again from its start when the file has grown.
                self.looked = self.at + size;
                self.file.seek(SeekFrom::Start(self.at))?;
                return Ok(false);
            }
            let end = piece.iter().position(|it| *it == b'\n');
            let piece = &piece[..end.map_or(piece.len(), |end| end + 1)];
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            let taken = piece.len();
            self.file.consume(taken);
            size += taken as u64;
            if end.is_some() {
                break;
            }
        }
        if self.line.len() > LINE_BYTES {
            self.line.truncate(BEGINNING_BYTES);
        } else {
            self.line.pop();
        }
        self.at += size;
        self.next += 1;
        if self.next.is_multiple_of(STRIDE) && self.next / STRIDE == self.index.len() as u64 {
            self.index.push(self.at);
        }
        Ok(true)
    }

    /// Goes to the last indexed line that isn't behind the wanted one.
    fn go_back(&mut self) -> io::Result<()> {
        let known = self.index.len() - 1;
        let place = usize::try_from(self.wanted / STRIDE).unwrap_or(known).min(known);
        let start = self.index[place];
        self.file.seek(SeekFrom::Start(start))?;
        self.at = start;
        self.next = place as u64 * STRIDE;
        Ok(())
    }

    /// At the end of the file: looks whether the file is still the one it was, and asks to be woken.
    fn at_end(&mut self) -> Result<Progress, SourceError> {
        let size = self.file.get_ref().metadata().map_err(|it| unreachable(&self.path, it))?.len();
        let (wanted, end) = (Offset(self.wanted), Offset(self.next));
        if size < self.at || wanted > end {
            return Err(SourceError::Shrunk { partition: self.name.clone(), wanted, end });
        }
        // What was written meanwhile makes the sizes differ, so it is not slept over.
        (self.wait)(self.looked);
        Ok(Progress { next: wanted, end: Some(end), more: false })
    }

    /// The next wanted record into `take`: how many bytes it has; `None` at the end.
    fn take_record(&mut self, take: &mut dyn FnMut(Record<'_>)) -> io::Result<Option<usize>> {
        if self.is_lost || self.wanted < self.next {
            self.go_back()?;
        }
        loop {
            self.is_lost = true;
            let is_there = self.take_line()?;
            self.is_lost = false;
            if !is_there {
                return Ok(None);
            }
            if self.next > self.wanted {
                break;
            }
        }
        let Parsed { time_ms, payload } = parse(&self.line);
        take(Record { offset: Offset(self.wanted), time_ms, payload: payload.as_deref() });
        self.wanted = self.next;
        Ok(Some(payload.map_or(0, |it| it.len())))
    }
}

impl Partition for Reading {
    fn read(
        &mut self,
        limit: Limit,
        take: &mut dyn FnMut(Record<'_>),
    ) -> Result<Progress, SourceError> {
        let (mut records, mut bytes) = (0, 0);
        while records < limit.records.max(1) && (records == 0 || bytes < limit.bytes) {
            match self.take_record(take) {
                Ok(Some(size)) => {
                    records += 1;
                    bytes += size;
                }
                Ok(None) if records == 0 => return self.at_end(),
                Err(fault) if records == 0 => return Err(unreachable(&self.path, fault)),
                // Told by the next read: this one has handed over records.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(Progress { next: Offset(self.wanted), end: None, more: true })
    }

    fn seek(&mut self, offset: Offset) -> Result<(), SourceError> {
        self.wanted = offset.0;
        Ok(())
    }
}
