//! `storage.objects`: a folder, or a bucket of an S3-compatible store and how it is reached.

use std::path::{Path, PathBuf};

use actors::journal::remote::{Bucket, Keys};

use super::diagnostic::Code;
use super::report::{Finding, Value};
use super::rules;
use super::section::Section;

/// Where the objects are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Objects {
    /// In this folder.
    Folder(PathBuf),
    /// In this bucket.
    Bucket(Bucket),
}

/// What the environment says to everything that speaks to such stores.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Environment {
    access: Option<String>,
    secret: Option<String>,
    session: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
}

/// What `storage.objects` begins with where it is no folder.
const SCHEME: &str = "s3://";
/// What most servers that are not Amazon's are content with.
const REGION: &str = "us-east-1";

impl std::fmt::Display for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl Objects {
    /// Whether each write travels over a network.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }

    /// Reads `objects` and `s3` of the section `storage`; without them the folder `objects` in `dir`.
    pub(super) fn read(storage: &Section<'_>, dir: &Path) -> Self {
        Self::of(storage, dir, &Environment::read())
    }

    fn of(storage: &Section<'_>, dir: &Path, environment: &Environment) -> Self {
        let place = storage.find("objects", place);
        let s3 = storage.node("s3").map(|_| storage.section("s3"));
        match place {
            Some(Place::Bucket { name, prefix }) => {
                let s3 = s3.unwrap_or_else(|| storage.section("s3"));
                Self::Bucket(bucket(s3, environment, name, prefix))
            }
            Some(Place::Folder(folder)) => {
                refuse(storage, s3.is_some());
                Self::Folder(folder)
            }
            None => {
                let objects = dir.join("objects");
                if !storage.has("objects") {
                    storage.setting("objects", Value::Plain(objects.display().to_string()));
                    refuse(storage, s3.is_some());
                }
                Self::Folder(objects)
            }
        }
    }
}

enum Place {
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

fn place(text: &str) -> Result<Place, String> {
    let Some(rest) = text.strip_prefix(SCHEME) else {
        return match text.split_once("://") {
            Some(_) => Err("it must be a folder, or s3://bucket/prefix".to_owned()),
            None => rules::text(text).map(|text| Place::Folder(PathBuf::from(text))),
        };
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-.".contains(it);
    if !(3..=63).contains(&name.len()) || !name.chars().all(fits) {
        return Err("a bucket's name is 3 to 63 of a-z, 0-9, - and .".to_owned());
    }
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_./".contains(it);
    let is_prefix = prefix.split('/').all(is_part) && prefix.chars().all(plain);
    if !prefix.is_empty() && !is_prefix {
        return Err("a prefix is of a-z, A-Z, 0-9, -, _ and ., in parts between /".to_owned());
    }
    Ok(Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
}

/// How a bucket is reached makes no sense where there is none.
fn refuse(storage: &Section<'_>, is_described: bool) {
    if is_described {
        let message = "\"s3\" is only for objects that are kept in a bucket";
        let finding = Finding::new(Code::Conflict, message);
        let help = "remove it, or say objects: s3://bucket/prefix";
        storage.report.error(storage.key_span("s3"), finding.help(help));
    }
}

fn bucket(s3: Section<'_>, environment: &Environment, name: String, prefix: String) -> Bucket {
    let endpoint = s3.find("endpoint", endpoint);
    let endpoint = endpoint.or_else(|| said(&s3, "endpoint", &environment.endpoint));
    let region = s3.find("region", rules::text);
    let region = region.or_else(|| said(&s3, "region", &environment.region));
    let region = region.unwrap_or_else(|| {
        s3.setting("region", Value::Plain(REGION.to_owned()));
        REGION.to_owned()
    });
    let allow_http = s3.read("allowHttp", "false", rules::truth);
    let is_plain = endpoint.as_deref().is_some_and(|it| it.starts_with("http://"));
    let is_local = endpoint.as_deref().is_some_and(is_loopback);
    if is_plain && !is_local && !allow_http {
        let message =
            "the endpoint is without TLS: keys and customers' data could be read on the way";
        let help = "use https://, or say allowHttp: true where the network is your own";
        let finding = Finding::new(Code::Forbidden, message).help(help);
        s3.report.error(s3.span_of("endpoint"), finding);
    }
    let keys = keys(&s3, environment);
    s3.finish();
    Bucket { name, prefix, endpoint, region, keys, allow_http: allow_http || is_local }
}

/// What the environment says of `key`, kept for `config show`.
fn said(s3: &Section<'_>, key: &str, value: &Option<String>) -> Option<String> {
    let value = value.clone()?;
    s3.setting(key, Value::Plain(value.clone()));
    Some(value)
}

fn endpoint(text: &str) -> Result<String, String> {
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '@']))
    });
    if !is_url {
        return Err("an endpoint is a URL, as in https://s3.bank.example:9000".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("http://").unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|it| it.is_loopback())
}

/// Both from files, or both from the environment: a mix would be a mistake.
fn keys(s3: &Section<'_>, environment: &Environment) -> Keys {
    let (access, secret) = (file(s3, "accessKeyFile"), file(s3, "secretKeyFile"));
    if s3.has("accessKeyFile") || s3.has("secretKeyFile") {
        for key in ["accessKeyFile", "secretKeyFile"].iter().filter(|key| !s3.has(key)) {
            s3.missing(key);
        }
        let (access, secret) = (access.unwrap_or_default(), secret.unwrap_or_default());
        return Keys { access, secret, session: None };
    }
    let (access, secret) = (environment.access.clone(), environment.secret.clone());
    let session = environment.session.clone();
    if let (Some(access), Some(secret)) = (access, secret) {
        return Keys { access, secret, session };
    }
    let message = "the bucket needs keys";
    let help = "set accessKeyFile and secretKeyFile in storage.s3, or AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY in the environment";
    s3.report.error(s3.span, Finding::new(Code::MissingKey, message).help(help));
    Keys { access: String::new(), secret: String::new(), session: None }
}

/// The one line of the file that `key` names.
fn file(s3: &Section<'_>, key: &'static str) -> Option<String> {
    let path = s3.find(key, rules::text)?;
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let line = read.and_then(|text| match text.trim() {
        "" => Err("it is empty".to_owned()),
        line if line.contains(char::is_whitespace) => Err("it has more than one word".to_owned()),
        line => Ok(line.to_owned()),
    });
    match line {
        Ok(line) => Some(line),
        Err(why) => {
            let message = format!("{key} cannot be used: {path}: {why}");
            let finding = Finding::new(Code::Unreadable, message);
            s3.report.error(s3.span_of(key), finding.help("name a file with the key in it"));
            None
        }
    }
}

impl Environment {
    /// The variables that other programs take too; an empty one counts as none.
    #[allow(clippy::disallowed_methods, reason = "configuration is read here")]
    fn read() -> Self {
        let first = |names: &[&str]| {
            let mut values = names.iter().filter_map(|name| std::env::var(name).ok());
            values.find(|value| !value.is_empty())
        };
        Self {
            access: first(&["AWS_ACCESS_KEY_ID"]),
            secret: first(&["AWS_SECRET_ACCESS_KEY"]),
            session: first(&["AWS_SESSION_TOKEN"]),
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            endpoint: first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]),
        }
    }
}

#[cfg(test)]
mod tests;
