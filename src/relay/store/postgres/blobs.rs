//! The object store beside the database: parts of long bodies, by `KEY/START`.
//!
//! An object is written before the row that names it and deleted before the row that condemns
//! it, so no object is without a row, except what a relay left that died between the two; its
//! key is still in the table of uploads, and goes with it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _};

use crate::relay::store::Error;
use crate::relay::store::postgres::options::Options;
use crate::relay::store::postgres::tls;
use crate::text;

/// A place for objects.
pub(super) struct Blobs {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

/// Makes HTTP clients with our TLS.
#[derive(Debug)]
struct Connector(rustls::ClientConfig);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.0.clone())
            .connect_timeout(std::time::Duration::from_secs(5))
            .timeout(std::time::Duration::from_secs(60))
            .build();
        let store = "object store";
        let failed = |e| object_store::Error::Generic { store, source: Box::new(e) };
        Ok(HttpClient::new(client.map_err(failed)?))
    }
}

fn unavailable(error: object_store::Error) -> Error {
    // Its address holds no secret: those are in the environment.
    Error::Unavailable(format!("the object store: {error}"))
}

impl Blobs {
    /// Opens the store at `s3://bucket/prefix`, `gs://…`, `az://container/prefix` or
    /// `file:///folder`. Keys come from the environment, as the programs of each provider read
    /// them.
    pub(super) fn open(url: &str, options: &Options) -> Result<Self, Error> {
        let open = |why: String| Error::Open { place: url.to_owned(), why };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let connector =
            || tls::config(options.certificates.as_deref()).map(Connector).map_err(open);
        let why = |e: object_store::Error| open(e.to_string());
        let prefix = || Path::parse(rest.split_once('/').map_or("", |(_, prefix)| prefix));
        let (store, prefix): (Arc<dyn ObjectStore>, _) = match scheme {
            "s3" => {
                let builder = AmazonS3Builder::from_env().with_url(url);
                let store = builder.with_http_connector(connector()?).build().map_err(why)?;
                (Arc::new(store), prefix())
            }
            "gs" => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(url);
                let store = builder.with_http_connector(connector()?).build().map_err(why)?;
                (Arc::new(store), prefix())
            }
            "az" => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url);
                let store = builder.with_http_connector(connector()?).build().map_err(why)?;
                (Arc::new(store), prefix())
            }
            "file" if rest.starts_with('/') => {
                // A part is promised once its row is committed, so it must be on the disk first.
                let store = LocalFileSystem::new_with_prefix(rest).map_err(why)?;
                (Arc::new(store.with_fsync(true)), Path::parse(""))
            }
            _ => {
                let why = "expected s3://, gs://, az:// or file:///folder";
                return Err(open(why.into()));
            }
        };
        Ok(Self { store, prefix: prefix.map_err(|e| open(e.to_string()))? })
    }

    fn folder(&self, key: &[u8]) -> Path {
        self.prefix.clone().join(text::hex_encode(key))
    }

    fn at(&self, key: &[u8], start: u64) -> Path {
        self.folder(key).join(format!("{start:020}"))
    }

    pub(super) async fn put(&self, key: &[u8], start: u64, body: Bytes) -> Result<(), Error> {
        self.store.put(&self.at(key, start), body.into()).await.map(drop).map_err(unavailable)
    }

    pub(super) async fn get(&self, key: &[u8], start: u64) -> Result<Bytes, Error> {
        let found = self.store.get(&self.at(key, start)).await.map_err(unavailable)?;
        found.bytes().await.map_err(unavailable)
    }

    /// Deletes all parts of a key.
    pub(super) async fn delete(&self, key: &[u8]) -> Result<(), Error> {
        let folder = self.folder(key);
        let parts = self.store.list(Some(&folder)).map_ok(|found| found.location).boxed();
        let deleted = self.store.delete_stream(parts).filter_map(|outcome| async move {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => Some(error),
            }
        });
        match std::pin::pin!(deleted).next().await {
            Some(error) => Err(unavailable(error)),
            None => Ok(()),
        }
    }
}
