//! TLS for MLLP: a listener's certificate, and clients' certificates where a channel demands them;
//! a sender's trust and its own certificate. <https://www.rfc-editor.org/rfc/rfc8446>

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("{file}: {what}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The files do not go together.
    #[error("the certificate, its key or the trusted certificates do not serve: {0}")]
    Material(String),
}

fn of_file(file: &Path, what: impl std::fmt::Display) -> TlsError {
    TlsError::File {
        file: file.display().to_string(),
        what: what.to_string(),
    }
}

fn material(error: impl std::fmt::Display) -> TlsError {
    TlsError::Material(error.to_string())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(file).map_err(|error| of_file(file, error))?;
    let found: Vec<_> = found
        .collect::<Result<_, _>>()
        .map_err(|error| of_file(file, error))?;
    if found.is_empty() {
        return Err(of_file(file, "holds no certificate"));
    }
    Ok(found)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| of_file(file, error))
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| of_file(file, error))?;
    }
    Ok(roots)
}

/// What a listener speaks TLS with. With `client_ca`, clients must show a certificate signed by one in it.
pub fn acceptor(
    certificate: &Path,
    private_key: &Path,
    client_ca: Option<&Path>,
) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(material)?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(roots(file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().map_err(material)?)
        }
    };
    let config = builder.with_single_cert(certificates(certificate)?, key(private_key)?);
    Ok(TlsAcceptor::from(Arc::new(config.map_err(material)?)))
}

/// What a sender speaks TLS with: the certificates it trusts, and its own with its key.
pub fn connector(trusted: &Path, own: Option<(&Path, &Path)>) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(material)?;
    let builder = builder.with_root_certificates(roots(trusted)?);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, private_key)) => {
            let chain = certificates(certificate)?;
            builder
                .with_client_auth_cert(chain, key(private_key)?)
                .map_err(material)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}
