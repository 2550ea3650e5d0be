//! Who a node is, and who the others are: certificates of the cluster's own authority, read again when they change.

use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::types::NodeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::TlsFiles;
use crate::problem::{Code, Problem};

/// What is negotiated for control messages.
pub(super) const CONTROL: &[u8] = b"throughline-control/1";
/// What is negotiated for streams.
pub(super) const BULK: &[u8] = b"h2";

/// Whom a certificate is for: the URI `spiffe://<cluster>/node/<node>`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Identity {
    pub(super) cluster: String,
    pub(super) node: NodeId,
}

impl Identity {
    /// The identity in a certificate, which must have exactly one.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        let mut names = certificate.valid_uri_names();
        let (name, more) = (names.next()?, names.next());
        let (cluster, node) = name.strip_prefix("spiffe://")?.split_once("/node/")?;
        let node = NodeId::new(node).ok()?;
        more.is_none().then(|| Self { cluster: cluster.to_owned(), node })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "spiffe://{}/node/{}", self.cluster, self.node)
    }
}

/// What the three files say, as they were at one time.
struct Material {
    texts: [Vec<u8>; 3],
    server: Arc<ServerConfig>,
    control: Arc<ClientConfig>,
    bulk: Arc<ClientConfig>,
}

/// The certificates in use. Connections that are open keep those that they began with.
pub(super) struct Certificates {
    files: TlsFiles,
    me: Identity,
    current: RwLock<Arc<Material>>,
}

impl Certificates {
    pub(super) fn load(files: TlsFiles, me: Identity) -> Result<Self, Problem> {
        let material = read(&files).and_then(|texts| Material::new(texts, &files, &me))?;
        Ok(Self { files, me, current: RwLock::new(Arc::new(material)) })
    }

    /// Takes over what the files say now, if it is something else; whether it was.
    pub(super) fn reload(&self) -> Result<bool, Problem> {
        let texts = read(&self.files)?;
        if texts == self.current.read().texts {
            return Ok(false);
        }
        let material = Arc::new(Material::new(texts, &self.files, &self.me)?);
        *self.current.write() = material;
        Ok(true)
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().server)
    }

    /// How to dial for that protocol.
    pub(super) fn client(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let current = self.current.read();
        Arc::clone(if protocol == CONTROL { &current.control } else { &current.bulk })
    }
}

impl Material {
    fn new(texts: [Vec<u8>; 3], files: &TlsFiles, me: &Identity) -> Result<Self, Problem> {
        let [cert, key, ca] = &texts;
        let chain = certificates(&files.cert, cert)?;
        let identity = chain.first().and_then(Identity::of);
        if identity.as_ref() != Some(me) {
            let says = identity.map_or_else(|| "no node".to_owned(), |it| it.to_string());
            let why = format!("{} is for {says}, and this node is {me}", files.cert.display());
            return Err(refuse(why)
                .remedy(format!("have a certificate issued whose only URI name is {me}")));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|why| refuse(format!("{} has no private key: {why}", files.key.display())))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&files.ca, ca)? {
            roots.add(root).map_err(|why| refuse(format!("{}: {why}", files.ca.display())))?;
        }
        let (roots, unfit) = (Arc::new(roots), |why: &dyn std::fmt::Display| {
            let (cert, key) = (files.cert.display(), files.key.display());
            refuse(format!("{cert} and {key} cannot be used together: {why}"))
        });
        let server = server(&roots, chain.clone(), key.clone_key()).map_err(|why| unfit(&why))?;
        let client = |protocol: &[u8]| {
            let made = client(&roots, chain.clone(), key.clone_key(), (&me.cluster, protocol));
            made.map(Arc::new).map_err(|why| unfit(&why))
        };
        let (control, bulk) = (client(CONTROL)?, client(BULK)?);
        Ok(Self { server: Arc::new(server), control, bulk, texts })
    }
}

fn read(files: &TlsFiles) -> Result<[Vec<u8>; 3], Problem> {
    let read = |path: &Path| {
        let read = std::fs::read(path);
        read.map_err(|why| refuse(format!("{} cannot be read: {why}", path.display())))
    };
    Ok([read(&files.cert)?, read(&files.key)?, read(&files.ca)?])
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(refuse(format!("{} has no certificate", path.display()))),
        Err(why) => Err(refuse(format!("{} is not PEM: {why}", path.display()))),
    }
}

fn refuse(why: String) -> Problem {
    let what = "the certificates for the peer port cannot be used";
    Problem::new(Code::PeerTls, what, why).remedy("mend listen.peer.tls: cert, key and ca, in PEM")
}

/// The cryptography in use, named here so that no other crate's choice changes it.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server(
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, String> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider());
    let verifier = verifier.build().map_err(|why| why.to_string())?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|why| why.to_string())?;
    let config = config.with_client_cert_verifier(verifier).with_single_cert(chain, key);
    let mut config = config.map_err(|why| why.to_string())?;
    config.alpn_protocols = vec![CONTROL.to_vec(), BULK.to_vec()];
    Ok(config)
}

fn client(
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    (cluster, protocol): (&str, &[u8]),
) -> Result<ClientConfig, String> {
    let (roots, cluster) = (Arc::clone(roots), cluster.to_owned());
    let verifier = OfCluster { roots, cluster, provider: provider() };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|why| why.to_string())?;
    // rustls calls every verifier of one's own dangerous; see there what is checked.
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = config.with_client_auth_cert(chain, key).map_err(|why| why.to_string())?;
    config.alpn_protocols = vec![protocol.to_vec()];
    // What a session was resumed with could outlive a certificate that has been replaced.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Accepts a server whose certificate is of our authority and for a node of our cluster: nodes are
/// reached under addresses that change, so the host's name says nothing about who it is.
#[derive(Debug)]
struct OfCluster {
    roots: Arc<RootCertStore>,
    cluster: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OfCluster {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        match Identity::of(end_entity) {
            Some(identity) if identity.cluster == self.cluster => {
                Ok(ServerCertVerified::assertion())
            }
            Some(_) | None => Err(CertificateError::NotValidForName.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
