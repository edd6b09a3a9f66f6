//! TLS to a relay: by the certificate authorities of the web, or by the key in its address.
//!
//! ureq takes root certificates but no verifier of one's own, so the last link of its chain of
//! connectors is here. It is what ureq's own does, with the choice of configuration put in.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, OtherError,
    PeerIncompatible, RootCertStore, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use ureq::http::uri::Authority;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use crate::files;
use crate::relay::client::error::Error;
use crate::relay::protocol::pin::Pin;

/// Greatest file of authorities in bytes: ten times what systems have.
const MAX_AUTHORITIES: u64 = 4 << 20;

/// Puts TLS over a connection to a relay, or to a proxy that wants it.
pub(crate) struct Tls {
    relay: Arc<ClientConfig>,
    /// The proxy, and how it is trusted: never by the relay's pin.
    proxy: Option<(Authority, Arc<ClientConfig>)>,
}

impl Tls {
    /// Trusts the key of `pin`, and that alone; without one the authorities of the web and
    /// those in the PEM file `more`.
    ///
    /// # Errors
    ///
    /// [`Error::Authorities`] when `more` cannot be read.
    pub(crate) fn new(
        pin: Option<Pin>,
        more: Option<&Path>,
        proxy: Option<&Authority>,
    ) -> Result<Self, Error> {
        let relay = match pin {
            None => web(more)?,
            Some(pin) => pinned(pin)?,
        };
        let proxy = match (proxy, pin) {
            (None, _) => None,
            (Some(proxy), None) => Some((proxy.clone(), relay.clone())),
            (Some(proxy), Some(_)) => Some((proxy.clone(), web(more)?)),
        };
        Ok(Self { relay, proxy })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn web(more: Option<&Path>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = more {
        let wrong = |why: String| Error::Authorities { file: file.to_owned(), why };
        let pem = files::read_bounded(file, MAX_AUTHORITIES).map_err(|e| wrong(e.to_string()))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
            // Systems' bundles have some that rustls does not take: those are not trusted.
            found += usize::from(roots.add(certificate).is_ok());
        }
        if found == 0 {
            return Err(wrong("it holds no certificate".into()));
        }
    }
    let builder = builder(&[&TLS13, &TLS12])?;
    Ok(finish(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn pinned(pin: Pin) -> Result<Arc<ClientConfig>, Error> {
    let verifier = Arc::new(Pinned { pin, provider: provider() });
    let builder = builder(&[&TLS13])?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(finish(builder.with_no_client_auth()))
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|e| Error::Insecure(e.to_string()))
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A ticket would tell the relay that two connections have one client.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Takes a certificate that the pinned offline key signed, whatever name it bears.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    /// The offline key's certificate must be among those shown. Its own dates mean nothing: what
    /// is trusted is the key. The relay's certificate is checked in full (RFC 5280, section 6)
    /// but for its name: signature, dates, purpose.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let offline = intermediates
            .iter()
            .find(|certificate| Pin::of(certificate).is_ok_and(|pin| pin == self.pin))
            .ok_or(CertificateError::Other(OtherError(Arc::new(NotPinned))))?;
        let mut roots = RootCertStore::empty();
        roots.add(offline.clone())?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let leaf = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Not offered.
        Err(PeerIncompatible::ServerDoesNotSupportTls12Or13.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("its key is not the one its address names")]
struct NotPinned;

/// What rustls refused, in words.
fn describe(error: &rustls::Error) -> String {
    use CertificateError as C;
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(C::Other(other)) => other.0.to_string(),
        E::InvalidCertificate(C::UnknownIssuer) => {
            "no authority we trust signed its certificate".into()
        }
        E::InvalidCertificate(C::BadSignature) => "its certificate has a wrong signature".into(),
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => {
            "its certificate has expired".into()
        }
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            "its certificate is not valid yet, or our clock is behind".into()
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            "its certificate is for another name".into()
        }
        E::InvalidMessage(_) => "it does not speak TLS there".into(),
        other => other.to_string(),
    }
}

/// What went wrong below TLS stays as it is; what TLS refused is said in words.
fn handshake_error(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(refused) => io::Error::new(io::ErrorKind::InvalidData, describe(refused)),
        None => error,
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Secured>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let authority = details.uri.authority();
        let config = match &self.proxy {
            Some((proxy, config)) if authority == Some(proxy) => config,
            _ => &self.relay,
        };
        let host = authority.map(Authority::host).unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_| ureq::Error::Tls("the host is not one TLS can name"))?;
        let mut tls = ClientConnection::new(config.clone(), name)?;
        let mut below = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        below.set_timeout(details.timeout);
        while tls.is_handshaking() {
            tls.complete_io(&mut below).map_err(handshake_error)?;
        }
        let sizes = (details.config.input_buffer_size(), details.config.output_buffer_size());
        let buffers = LazyBuffers::new(sizes.0, sizes.1);
        Ok(Some(Either::B(Secured { buffers, stream: StreamOwned::new(tls, below) })))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// A connection under TLS.
pub(crate) struct Secured {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secured")
    }
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let read = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
