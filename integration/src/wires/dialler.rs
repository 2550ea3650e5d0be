//! Which node a connection comes from: the one whose process holds the socket at its other end.

use std::fs;
use std::path::{Path, PathBuf};

/// The place in `folders` of the node that dialled from port `from` to port `to` of the loopback address; `None` where
/// it was none of them. A node is known by its command line, which names a file in its folder.
pub(super) fn find(from: u16, to: u16, folders: &[PathBuf]) -> Option<usize> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let link = format!("socket:[{}]", inode(&table, from, to)?);
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|it| it.path());
    processes.filter_map(|it| Some((whose(&it, folders)?, it))).find_map(|(node, process)| {
        let mut open = fs::read_dir(process.join("fd")).ok()?.flatten();
        let is_it = |it: &fs::DirEntry| fs::read_link(it.path()).is_ok_and(|it| it == *link);
        open.any(|it| is_it(&it)).then_some(node)
    })
}

/// The number of the socket that is bound to `from` and connected to `to`.
fn inode(table: &str, from: u16, to: u16) -> Option<&str> {
    let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&from) && fields.get(2)?.ends_with(&to);
        is_it.then(|| fields.get(9).copied()).flatten()
    })
}

fn whose(process: &Path, folders: &[PathBuf]) -> Option<usize> {
    let line = fs::read(process.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let mut words = line.split('\0').map(Path::new);
    let parent =
        words.find_map(|word| word.ends_with("throughline.yaml").then(|| word.parent()))??;
    folders.iter().position(|folder| folder == parent)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_is_found_by_both_its_ports() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let from = stream.local_addr().unwrap().port();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let number = inode(&table, from, to).unwrap();
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut links = open.filter_map(|it| fs::read_link(it.path()).ok());
        assert!(links.any(|it| it == Path::new(&format!("socket:[{number}]"))));
        assert_eq!(inode(&table, to, from.wrapping_add(1)), None);
    }

    #[test]
    fn a_connection_of_no_node_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let from = stream.local_addr().unwrap().port();
        assert_eq!(find(from, to, &[PathBuf::from("/nowhere")]), None);
    }
}
