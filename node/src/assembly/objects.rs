//! The object store that the cluster file names: opened, and in a bucket also tried.

use actors::journal::Objects;
use actors::journal::fitness::{Unfit, check};
use actors::journal::local::open_objects;
use actors::journal::remote::{Bucket, open_bucket};
use anyhow::Context as _;

use crate::config::{Objects as Place, Storage};
use crate::problem::{Code, Problem};

/// Opens the objects. A bucket has to show that it can be used before anything is trusted to it.
pub(super) async fn open(storage: &Storage) -> anyhow::Result<Objects> {
    match &storage.objects {
        Place::Folder(folder) => {
            open_objects(folder).with_context(|| format!("open {}", folder.display()))
        }
        Place::Bucket(bucket) => {
            let objects = open_bucket(bucket).with_context(|| format!("open {bucket}"))?;
            let checked = check(&*objects, actors::clock::nonce()).await;
            checked.map_err(|unfit| refused(bucket, &unfit))?;
            Ok(objects)
        }
    }
}

fn refused(bucket: &Bucket, unfit: &Unfit) -> Problem {
    let problem =
        |code, what: &str| Problem::new(code, format!("{what} {bucket}"), unfit.to_string());
    match unfit {
        Unfit::Unreachable(_) => problem(Code::StoreUnreachable, "the node cannot reach")
            .remedy("start the store, or mend storage.s3.endpoint in the cluster file"),
        Unfit::NoBucket(_) => problem(Code::BucketNotFound, "there is no bucket").remedy(
            "create it, or mend storage.objects, storage.s3.endpoint and storage.s3.region in the cluster file",
        ),
        Unfit::Refused(_) => problem(Code::StoreRefuses, "the node may not use")
            .remedy("mend the keys: storage.s3.accessKeyFile and secretKeyFile, or the AWS_ variables")
            .remedy("the keys must be allowed to read, create, list and delete objects there"),
        Unfit::NotCreateOnly => problem(Code::StoreUnfit, "journals cannot be kept in")
            .remedy("take a store that heeds If-None-Match on PUT, or a folder on a local disk"),
        Unfit::Failed(_) => problem(Code::StoreUnfit, "the node cannot use")
            .remedy("mend what the store complains of, and start the node again"),
    }
}

#[cfg(test)]
mod tests {
    use actors::journal::remote::Keys;

    use super::*;

    #[test]
    fn whatever_is_wrong_with_a_store_has_a_code_and_a_way_out() {
        let keys = Keys { access: "us".to_owned(), secret: "hidden".to_owned(), session: None };
        let (name, prefix, region) = ("bank".to_owned(), "prod".to_owned(), "eu".to_owned());
        let endpoint = Some("http://127.0.0.1:9".to_owned());
        let bucket = Bucket { name, prefix, endpoint, region, keys, allow_http: true };
        let said = || "NoSuchThing: it is not there".to_owned();
        for (unfit, code) in [
            (Unfit::Unreachable(said()), Code::StoreUnreachable),
            (Unfit::NoBucket(said()), Code::BucketNotFound),
            (Unfit::Refused(said()), Code::StoreRefuses),
            (Unfit::NotCreateOnly, Code::StoreUnfit),
            (Unfit::Failed(said()), Code::StoreUnfit),
        ] {
            let problem = refused(&bucket, &unfit);
            assert_eq!(problem.code, code);
            assert!(problem.what.ends_with("s3://bank/prod at http://127.0.0.1:9"), "{problem}");
            assert!(!problem.remedy.is_empty() && !format!("{problem:?}").contains("hidden"));
        }
    }
}
