//! A bucket is named, reached and opened as the file and the environment say; half a description is refused.

use super::super::report::Report;
use super::*;

fn environment(access: &str, secret: &str) -> Environment {
    let (access, secret) = (Some(access.to_owned()), Some(secret.to_owned()));
    Environment { access, secret, ..Environment::default() }
}

/// What comes of the text of a `storage` section, and what it is told.
fn read(text: &str, environment: &Environment) -> (Objects, Vec<String>) {
    let report = Report::new("c.yaml", text);
    let tree = report.parse();
    let storage = Section::root(&report, &tree);
    let objects = Objects::of(&storage, Path::new("data"), environment);
    storage.finish();
    let lines = report.finish().0.0;
    (objects, lines.iter().map(|it| format!("{} {}", it.code, it.message)).collect())
}

#[track_caller]
fn bucket(text: &str, environment: &Environment) -> Bucket {
    match read(text, environment) {
        (Objects::Bucket(bucket), told) if told.is_empty() => bucket,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn wrong(text: &str, told: &[&str]) {
    assert_eq!(read(text, &environment("me", "mine")).1, told, "{text}");
}

#[test]
fn objects_are_a_folder_or_a_bucket() {
    let it = |text| read(text, &environment("me", "mine"));
    assert_eq!(it("{}"), (Objects::Folder("data/objects".into()), vec![]));
    assert_eq!(it("objects: there"), (Objects::Folder("there".into()), vec![]));
    let bare = bucket("objects: \"s3://bank\"", &environment("me", "mine"));
    assert_eq!((bare.name.as_str(), bare.prefix.as_str()), ("bank", ""));
    assert_eq!((bare.endpoint, bare.region.as_str(), bare.allow_http), (None, REGION, false));
    let deep = bucket("objects: \"s3://bank/prod/a/\"", &environment("me", "mine"));
    assert_eq!(deep.to_string(), "s3://bank/prod/a");
    for text in ["s3://", "s3://b", "s3://Bank/x", "s3://bank//x", "s3://bank/a b", "gs://bank"] {
        let told = read(&format!("objects: \"{text}\""), &Environment::default()).1;
        assert_eq!(told, [format!("TL-0206 objects cannot be \"{text}\"")]);
    }
}

#[test]
fn keys_come_from_files_or_from_the_environment_and_never_from_both() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        std::fs::write(dir.path().join(name), content).unwrap();
        dir.path().join(name).display().to_string()
    };
    let (access, secret) = (file("access", "them\n"), file("secret", "theirs\n"));
    let (empty, two) = (file("empty", "\n"), file("two", "a b"));
    let s3 = |rest: &str| format!("objects: \"s3://bank\"\ns3: {{ {rest} }}");
    let files = s3(&format!("accessKeyFile: {access}, secretKeyFile: {secret}"));
    let lent = Environment { session: Some("lent".to_owned()), ..environment("me", "mine") };
    let keys = bucket(&files, &lent).keys;
    let them = Keys { access: "them".to_owned(), secret: "theirs".to_owned(), session: None };
    assert_eq!(keys, them);
    assert!(!format!("{keys:?}").contains("theirs"), "a secret is not shown");
    assert_eq!(bucket("objects: \"s3://bank\"", &lent).keys.session.as_deref(), Some("lent"));

    wrong(
        &s3(&format!("accessKeyFile: {access}")),
        &["TL-0204 s3 needs the key \"secretKeyFile\""],
    );
    for (path, why) in [(&empty, "it is empty"), (&two, "it has more than one word")] {
        let text = s3(&format!("accessKeyFile: {access}, secretKeyFile: {path}"));
        wrong(&text, &[&format!("TL-0200 secretKeyFile cannot be used: {path}: {why}")]);
    }
    let told = read("objects: \"s3://bank\"", &Environment::default()).1;
    assert_eq!(told, ["TL-0204 the bucket needs keys"]);
}

#[test]
fn without_tls_a_store_is_on_this_machine_or_is_allowed_by_name() {
    let s3 = |rest: &str| format!("objects: \"s3://bank\"\ns3: {{ {rest} }}");
    for local in ["127.0.0.1:9000", "localhost", "[::1]:9000"] {
        let it = bucket(&s3(&format!("endpoint: \"http://{local}\"")), &environment("a", "b"));
        assert!(it.allow_http, "{local}");
    }
    let plain = "endpoint: \"http://minio.bank:9000\"";
    let refusal =
        "TL-0211 the endpoint is without TLS: keys and customers' data could be read on the way";
    wrong(&s3(plain), &[refusal]);
    assert!(bucket(&s3(&format!("{plain}, allowHttp: true")), &environment("a", "b")).allow_http);
    let spoofed = s3("endpoint: \"http://127.0.0.1.evil.example:9000\"");
    wrong(&spoofed, &[refusal]);
    for text in ["ftp://x", "https://", "https://a:b@c", "minio:9000"] {
        let told = read(&s3(&format!("endpoint: \"{text}\"")), &environment("a", "b")).1;
        assert_eq!(told, [format!("TL-0206 endpoint cannot be \"{text}\"")]);
    }
}

#[test]
fn the_environment_fills_in_what_the_file_leaves_out() {
    let (region, endpoint) = (Some("eu-1".to_owned()), Some("https://s3.bank".to_owned()));
    let environment = Environment { region, endpoint, ..environment("me", "mine") };
    let it = bucket("objects: \"s3://bank\"", &environment);
    assert_eq!((it.region.as_str(), it.endpoint.as_deref()), ("eu-1", Some("https://s3.bank")));
    let it = bucket("objects: \"s3://bank\"\ns3: { region: us-2 }", &environment);
    assert_eq!(it.region, "us-2");
}

#[test]
fn how_a_bucket_is_reached_is_no_word_for_a_folder() {
    let refusal = "TL-0210 \"s3\" is only for objects that are kept in a bucket";
    wrong("objects: there\ns3: { region: a }", &[refusal]);
    wrong("s3: { region: a }", &[refusal]);
}
