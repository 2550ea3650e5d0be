//! What each code means, at more length than there is room for where it happens.

use super::Code;
use crate::config::Code as Mistake;

/// A code, explained.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// The code as people quote it.
    pub code: String,
    /// The word that programs compare; `None` for a mistake in a configuration.
    pub reason: Option<&'static str>,
    /// What happened.
    pub what: &'static str,
    /// Why.
    pub why: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// The exit code of a command that ends with it.
    pub exit: u8,
}

/// Every code, by number.
#[must_use]
pub fn all() -> Vec<Explained> {
    let problems = Code::ALL.iter().map(|code| of_problem(*code));
    let mut all: Vec<_> = problems.chain(Mistake::ALL.into_iter().map(of_mistake)).collect();
    all.sort_by(|a, b| a.code.cmp(&b.code));
    all
}

/// The code that a person means by `text`: `TL-0401`, `401` or `UNREACHABLE`; `None` where there is none.
#[must_use]
pub fn find(text: &str) -> Option<Explained> {
    let text = text.trim().to_uppercase();
    let digits = text.strip_prefix("TL-").unwrap_or(&text);
    let code = digits.parse::<u16>().map(|number| format!("TL-{number:04}"));
    let is_meant = |it: &Explained| Ok(&it.code) == code.as_ref() || it.reason == Some(&*text);
    all().into_iter().find(is_meant)
}

fn of_problem(code: Code) -> Explained {
    let [what, why, remedy] = problem(code);
    let (reason, exit) = (Some(code.reason()), code.exit().code());
    Explained { code: code.to_string(), reason, what, why, remedy, exit }
}

fn of_mistake(mistake: Mistake) -> Explained {
    let [what, remedy] = self::mistake(mistake);
    let why = "the cluster file or a scenario file says so, in the line that is shown";
    let exit = Code::BadConfig.exit().code();
    Explained { code: mistake.to_string(), reason: None, what, why, remedy, exit }
}

/// A table of texts by code; a code without a line does not compile.
macro_rules! explain {
    ($of:ident of $codes:ident, $texts:literal: $doc:literal; $($name:ident: $($text:literal),+;)*) => {
        #[doc = $doc]
        const fn $of(code: $codes) -> [&'static str; $texts] {
            match code { $($codes::$name => [$($text),+],)* }
        }
    };
}

explain! {
    problem of Code, 3: "What happened, why, what to do.";
    Bug:
        "the command or the node failed in a way that nobody foresaw",
        "a fault of ours, or one of the machine's that we do not know",
        "report it with the text, the version and the log around it; what was committed is safe";
    Usage:
        "the command line cannot be understood",
        "an option is missing, unknown or has no such value",
        "throughline <command> --help shows what can be typed";
    TransactionNotFound:
        "nobody remembers that transaction",
        "it was never seen, or it is done and its result is older than what is kept",
        "look for its id as a key in the transactions topic, where every result stays";
    IndicatorNotFound:
        "there is no indicator of that name",
        "no scenario of the running configuration has it",
        "throughline indicator list";
    SnapshotNotFound:
        "there is no snapshot of that name",
        "it was never taken, or has been removed",
        "throughline snapshot list";
    FileNotFound:
        "a file, folder or topic that was named is not there",
        "its name or the folder from which it was named is another one",
        "check the path; a relative one counts from the current folder";
    BucketNotFound:
        "the bucket of storage.objects is not there",
        "its name is another one, or it lies at another endpoint or in another region",
        "create the bucket, or mend storage.objects and storage.s3 in the cluster file";
    NodeNotFound:
        "there is no node of that name",
        "it never joined this cluster, or has another name",
        "throughline node list";
    RangeNotFound:
        "there is no range of that number",
        "it never was, or has been split or merged since",
        "throughline range list";
    DrillNotFound:
        "there is no drill of that name",
        "its name is another one",
        "throughline drill list";
    Unreachable:
        "nobody answers there",
        "no node or broker runs at that address, or a firewall is between",
        "start it, or name another with --endpoint or --brokers";
    TooSlow:
        "the answer took too long",
        "the node is overloaded, or its disk is",
        "throughline status says what holds it back; then try again";
    RangesMissing:
        "the ranges that would know do not answer",
        "their node is down or restoring",
        "try again in some seconds; throughline range list shows their state";
    CatchingUp:
        "the node cannot answer yet",
        "it is restoring its state after a start",
        "wait: throughline status says how far behind it is";
    TooWide:
        "the answer would be too large",
        "more was asked for than one answer can hold",
        "ask for a shorter time or a single value, or in pages";
    StoreUnreachable:
        "the object store does not answer",
        "nothing listens at its endpoint, a firewall is between, or its certificate is not trusted",
        "see that storage.s3.endpoint can be reached from this machine, then start the node again";
    NobodyLeads:
        "no node is known to lead, so nothing can be moved",
        "who led has stopped and no other has taken over yet, or this node is cut off from it",
        "wait some seconds, then look at throughline cluster status; everything else goes on meanwhile";
    CopyUnfinished:
        "a copy of a cluster was begun and not finished",
        "a store did not answer, or what was to be copied went before it had been",
        "ask for it again; stop the cluster's nodes first, or raise snapshots.keep";
    Unhealthy:
        "the node answers and is not well, or had to stop",
        "the reason is in the message: a broker, a disk, a part that failed",
        "mend the cause; the node goes on from its last commit, nothing is lost";
    AlreadyRunning:
        "something like it is already under way",
        "another process holds the folder, or the same request is being worked on",
        "wait for it, or stop the other process";
    PageTokenExpired:
        "the list has changed under its page token",
        "ranges or snapshots came or went between two pages",
        "ask for the list again from the start";
    NotOffered:
        "this version cannot do that",
        "it is designed and not built, or the node is older than the command",
        "see CHANGELOG.md for what there is";
    AddressTaken:
        "the address cannot be listened on",
        "another process listens there, or the port is reserved",
        "stop the other process, or choose another port";
    Alone:
        "this node runs alone, and only a cluster can do that",
        "its cluster file has no listen.peer, so it has no other nodes",
        "give listen.peer in the cluster file of each node, and start them again";
    Denied:
        "who leads does not grant it",
        "the nodes, the ranges or this version forbid it now: the message says which",
        "do what the message says, then ask again";
    PlaceTaken:
        "the state of another cluster lies there",
        "a cluster has begun there, or another one was copied there",
        "name a place of its own in the cluster's file: storage.objects or storage.dir, as the message says";
    NotAllowed:
        "the caller may not do that",
        "its role does not include it",
        "ask who grants roles";
    StoreRefuses:
        "the object store does not let the node in",
        "the keys are not known there, are for another region, or may not read, write, list and delete",
        "mend the keys in storage.s3 or the environment, and what they may do with the bucket";
    BadArgument:
        "an argument's content is impossible",
        "the message says which, and what would do",
        "change it, and try again";
    FilterSyntax:
        "the filter cannot be read",
        "it is not of the form: dimension = \"value\"",
        "throughline indicator query --help has examples";
    UnknownDimension:
        "the indicator does not have that dimension",
        "its scenario does not list it under dimensions",
        "throughline indicator list shows which it has";
    BadConfig:
        "the configuration cannot be run",
        "it has mistakes, each with a code, a line and a column of its own",
        "mend them; throughline config validate FILE says when it is right";
    NotLoopback:
        "that address may not be listened on",
        "there is no login and no TLS yet, and the API shows customers' data",
        "listen on 127.0.0.1 and forward the port, for example with ssh -L";
    StoreUnfit:
        "journals cannot be kept in that object store",
        "it creates a name that exists once more, so that two nodes could both believe that they own a slot",
        "take a store that heeds If-None-Match on PUT, as Amazon S3 and MinIO do, or a folder";
    PeerOpen:
        "other nodes may not be listened for at that address",
        "without TLS anybody on the network could speak as a node",
        "give listen.peer.tls, or listen on 127.0.0.1 where all nodes are on one machine";
    PeerTls:
        "the certificates for the peer port cannot be used",
        "a file is missing or no PEM, or the certificate is not this node's",
        "have one issued with the one URI name spiffe://<cluster>/node/<node>, and name it in listen.peer.tls";
    CheckFailed:
        "a check found records lost, counted twice or wrong",
        "see the report: it names what differs",
        "keep the folders as they are, and report it: this must never happen";
}

explain! {
    mistake of Mistake, 2: "What is wrong, what to do.";
    Unreadable:
        "the file cannot be read, is not UTF-8 or is over 1 MiB",
        "check its path and its permissions";
    Syntax:
        "the file is not YAML",
        "mend the line that is shown; indentation is by spaces";
    UnknownKey:
        "nobody knows that key",
        "take the one that is suggested; throughline config show FILE lists all";
    DuplicateKey:
        "a key is there twice, and only one of them could count",
        "remove one";
    MissingKey:
        "a key that must be there is missing",
        "add it; the message says to what";
    WrongKind:
        "a mapping, a list or a text is where another of them must be",
        "write it as the message says";
    WrongValue:
        "the value does not have the form that it must have",
        "times need units, such as 30s or 1h; sizes too, such as 64MiB";
    OutOfBounds:
        "the value is outside its bounds",
        "take one between those in the message";
    WrongField:
        "a field must be <leg>:<JSON pointer>",
        "write it like request:/body/amount";
    NotOne:
        "of these keys exactly one may be there",
        "keep the one that is meant";
    Conflict:
        "two settings contradict each other",
        "change one of them";
    Forbidden:
        "the setting would break a promise of the engine",
        "leave it out";
    Dangling:
        "the name of something that does not exist",
        "take one of those in the message";
    Trap:
        "many YAML tools read that word as true or false",
        "put it in quotes, or use the word that is suggested";
    NotYet:
        "this version does not do that yet",
        "leave it out; CHANGELOG.md says when it comes";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_in_full() {
        let all = all();
        assert_eq!(all.len(), Code::ALL.len() + Mistake::ALL.len());
        assert!(all.windows(2).all(|two| two[0].code < two[1].code), "a number has one meaning");
        for it in all {
            for text in [it.what, it.why, it.remedy] {
                assert!(text.len() > 8 && !text.ends_with('.'), "{}: {text:?}", it.code);
            }
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        for text in ["TL-0401", "tl-0401", "401", "0401", " unreachable "] {
            assert_eq!(find(text).unwrap().reason, Some("UNREACHABLE"), "{text}");
        }
        assert_eq!(find("TL-0202").unwrap().exit, 8);
        for text in ["", "TL-", "TL-9999", "-401", "what"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
