//! A certificate from an authority, renewed by itself: ACME (RFC 8555), proven over TLS on the
//! relay's own port (`tls-alpn-01`, RFC 8737).

use std::collections::HashMap;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::body::Body as _;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType,
    HttpClient, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use ureq::Agent;
use ureq::http::Request;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector,
};

use crate::crypto;
use crate::files;
use crate::relay::client::http::tls::Tls as ClientTls;
use crate::relay::server::tls::certificate::{Certificate, Error, Tls};
use crate::text;

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Greatest answer of an authority, and greatest file kept, in bytes.
const MAX_ANSWER: u64 = 1 << 20;
/// Time for one request to the authority.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Time for the authority to prove and sign.
const ORDER_TIME: Duration = Duration::from_secs(300);
/// First pause after a failure; each is four times the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause after a failure, and longest time between two looks at the clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// Where certificates come from, and for which names.
#[derive(Debug, Clone)]
pub struct Acme {
    /// Names the certificate is for. The relay is reached by each of them on port 443.
    pub domains: Vec<String>,
    /// Where the authority may write to: `mailto:…`.
    pub contact: Vec<String>,
    /// URL of the authority's directory; [`LETS_ENCRYPT`] for one.
    pub directory: String,
    /// Folder for the account and the certificate, so that a restart asks for neither.
    pub cache: PathBuf,
    /// A PEM file of certificate authorities to trust for the directory, beside those of the web.
    pub authorities: Option<PathBuf>,
}

impl Acme {
    /// Keeps a certificate in `tls` for as long as it is polled: that of the cache, and a new one
    /// in the last third of its life. Tells `report` of each that it shows, and of each failure;
    /// after that it tries again by itself.
    pub async fn keep(self, tls: Tls, report: impl Fn(Result<&Certificate, &Error>)) {
        let place = self.cache.join(format!("certificate-{}.pem", self.mark(&self.domains)));
        let mut shown = files::read_bounded(&place, MAX_ANSWER).ok().and_then(|pem| {
            let certificate = Certificate::from_pem(&pem, &pem).ok()?;
            tls.show(certificate.clone());
            report(Ok(&certificate));
            Some(certificate)
        });
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(left) = shown.as_ref().and_then(|shown| until(shown.renew_at())) {
                sleep(left.min(LONGEST_PAUSE)).await;
                continue;
            }
            let outcome = self.renew(&tls, &place).await;
            tls.answer(HashMap::new());
            match outcome {
                Ok(certificate) => {
                    tls.show(certificate.clone());
                    report(Ok(&certificate));
                    shown = Some(certificate);
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    report(Err(&error));
                    sleep(pause).await;
                    pause = (pause * 4).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// A name for files that belong to this directory, and to `words`.
    fn mark(&self, words: &[String]) -> String {
        let text = [std::slice::from_ref(&self.directory), words].concat().join("\n");
        text::hex_encode(&crypto::truncate::<8>(&crypto::sha256(&[text.as_bytes()])))
    }

    async fn renew(&self, tls: &Tls, place: &Path) -> Result<Certificate, Error> {
        let account = self.account().await?;
        let names: Vec<_> = self.domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(refused)?;
        self.prove(&mut order, tls).await?;

        let key = KeyPair::generate().map_err(unmade)?;
        let params = CertificateParams::new(self.domains.clone()).map_err(unmade)?;
        let request = params.serialize_request(&key).map_err(unmade)?;
        order.finalize_csr(request.der()).await.map_err(refused)?;
        let patience = RetryPolicy::new().timeout(ORDER_TIME);
        let chain = order.poll_certificate(&patience).await.map_err(refused)?;

        // Both in one file, so that no crash leaves one without the other.
        let pem = [chain, key.serialize_pem()].join("\n");
        let certificate = Certificate::from_pem(pem.as_bytes(), pem.as_bytes())
            .map_err(|(_, why)| Error::Authority(why))?;
        let place = place.to_owned();
        let written = spawn_blocking(move || write(&place, pem.as_bytes())).await;
        written.map_err(unmade)??;
        Ok(certificate)
    }

    /// The account at the authority, made once.
    async fn account(&self) -> Result<Account, Error> {
        let place = self.cache.join(format!("account-{}.json", self.mark(&self.contact)));
        let builder = Account::builder_with_http(Box::new(self.http()?));
        let kept = files::read_bounded(&place, MAX_ANSWER).ok();
        let kept = kept.and_then(|json| serde_json::from_slice::<AccountCredentials>(&json).ok());
        if let Some(credentials) = kept {
            return builder.from_credentials(credentials).await.map_err(refused);
        }
        let contact: Vec<_> = self.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = builder.create(&new, self.directory.clone(), None).await;
        let (account, credentials) = made.map_err(refused)?;
        let json = serde_json::to_vec(&credentials).map_err(unmade)?;
        spawn_blocking(move || write(&place, &json)).await.map_err(unmade)??;
        Ok(account)
    }

    /// Shows the authority that each name leads here.
    async fn prove(&self, order: &mut Order, tls: &Tls) -> Result<(), Error> {
        let mut answers = HashMap::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(refused)?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization
                .challenge(ChallengeType::TlsAlpn01)
                .ok_or_else(|| Error::Authority("it does not offer tls-alpn-01".into()))?;
            let name = challenge.identifier().to_string();
            let answer = answer(&name, challenge.key_authorization().digest().as_ref())?;
            answers.insert(name, answer);
            tls.answer(answers.clone());
            challenge.set_ready().await.map_err(refused)?;
        }
        let patience = RetryPolicy::new().timeout(ORDER_TIME);
        match order.poll_ready(&patience).await.map_err(refused)? {
            OrderStatus::Ready => Ok(()),
            other => Err(Error::Authority(format!("the order is {other:?}: {}", why(order).await))),
        }
    }

    fn http(&self) -> Result<Http, Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIME))
            .build();
        let tls = ClientTls::new(None, self.authorities.as_deref(), None)
            .map_err(|e| Error::Authority(e.to_string()))?;
        let connector = SocksConnector::default()
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls);
        Ok(Http(Agent::with_parts(config, connector, DefaultResolver::default())))
    }
}

/// The certificate that answers a challenge: self-signed, with the digest in an extension
/// (RFC 8737, section 3).
fn answer(name: &str, digest: &[u8]) -> Result<Certificate, Error> {
    // The extension takes exactly a SHA-256.
    let digest: [u8; 32] =
        digest.try_into().map_err(|_| Error::Authority("no SHA-256 to prove".into()))?;
    let key = KeyPair::generate().map_err(unmade)?;
    let mut params = CertificateParams::new([name.to_owned()]).map_err(unmade)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let certificate = params.self_signed(&key).map_err(unmade)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Certificate::from_der(vec![certificate.der().clone()], key, digest)
        .map_err(|(_, why)| Error::Authority(why))
}

/// What the authority found wrong with the first name that failed.
async fn why(order: &mut Order) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        if let Some(error) = authorization.challenges.iter().find_map(|c| c.error.as_ref()) {
            return text::printable(&error.to_string());
        }
    }
    "it does not say why".into()
}

fn refused(error: instant_acme::Error) -> Error {
    Error::Authority(text::printable(&error.to_string()))
}

fn unmade(error: impl std::fmt::Display) -> Error {
    Error::Authority(error.to_string())
}

fn write(place: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = place.parent().unwrap_or(Path::new("."));
    files::create_private_folder(folder)
        .and_then(|()| files::replace_private(place, bytes))
        .map_err(|error| Error::File { file: place.to_owned(), error })
}

/// How long it is to a time, unless it is past.
fn until(time: u64) -> Option<Duration> {
    (SystemTime::UNIX_EPOCH + Duration::from_secs(time)).duration_since(SystemTime::now()).ok()
}

/// The one HTTP client this program has, for requests of ACME.
struct Http(Agent);

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let agent = self.0.clone();
        Box::pin(async move {
            let (parts, mut frames) = request.into_parts();
            // Our own request: as long as it is.
            let mut body = Vec::new();
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut frames).poll_frame(cx)).await {
                body.extend(frame.map_err(other)?.into_data().unwrap_or_default());
            }
            spawn_blocking(move || {
                let response = if body.is_empty() {
                    agent.run(Request::from_parts(parts, ()))
                } else {
                    agent.run(Request::from_parts(parts, body))
                };
                let (parts, mut body) = response.map_err(other)?.into_parts();
                let bytes = files::read_to_limit(body.as_reader(), MAX_ANSWER).map_err(other)?;
                Ok(BytesResponse { parts, body: Box::new(Bytes::from(bytes)) })
            })
            .await
            .map_err(other)?
        })
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> instant_acme::Error {
    instant_acme::Error::Other(error.into())
}
