//! Who the operator is to kubelets: an account of its own that may read figures and nothing else, since
//! whoever has a node has what its kubelet is shown.

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::HeaderValue;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{Instant, timeout};
use tokio_rustls::rustls::RootCertStore;

use crate::https::authorities;

/// The service account whose tokens kubelets are shown.
pub const SERVICE_ACCOUNT: &str = "commonscloud-usage";
/// How long a token is valid, in seconds; a node that is taken over has one for no longer.
const VALIDITY: i64 = 3600;
/// When another one is asked for.
const RENEWAL: Duration = Duration::from_mins(30);
/// How long the API server may take to give one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the operator gets what it shows to kubelets, and what it knows them by.
pub struct AccountSource {
    /// Asks the API server for tokens.
    pub client: Client,
    /// The operator's own namespace, where the service account is.
    pub namespace: String,
    /// PEM certificates of the authority that signed the kubelets' certificates. Read again in each round,
    /// since Kubernetes renews them.
    pub authority: PathBuf,
}

impl AccountSource {
    /// With the authority where Kubernetes puts it in a pod.
    pub fn mounted(client: Client, namespace: &str) -> Self {
        let authority = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
        Self { client, namespace: namespace.to_owned(), authority }
    }
}

/// What the operator shows to kubelets, and trusts.
pub(super) struct Account {
    pub(super) bearer: HeaderValue,
    pub(super) roots: RootCertStore,
}

/// The account, with the token that is used until it is renewed.
pub(super) struct Accounts {
    source: AccountSource,
    token: Option<(HeaderValue, Instant)>,
}

impl Accounts {
    pub(super) const fn new(source: AccountSource) -> Self {
        Self { source, token: None }
    }

    /// What is shown in this round.
    pub(super) async fn read(&mut self) -> Result<Account, String> {
        let path = &self.source.authority;
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let pem = tokio::fs::read_to_string(path).await.map_err(|error| failed(&error))?;
        let roots = authorities(&pem).map_err(|error| failed(&error))?;
        Ok(Account { bearer: self.bearer().await?, roots })
    }

    /// A kubelet refused the token: the next round asks for another.
    pub(super) fn forget(&mut self) {
        self.token = None;
    }

    /// While the API server gives none, the one before goes on: it is valid for longer than until its renewal.
    async fn bearer(&mut self) -> Result<HeaderValue, String> {
        if let Some((bearer, renewal)) = &self.token
            && Instant::now() < *renewal
        {
            return Ok(bearer.clone());
        }
        match self.request().await {
            Ok(bearer) => {
                self.token = Some((bearer.clone(), Instant::now() + RENEWAL));
                Ok(bearer)
            }
            Err(error) => match &self.token {
                Some((bearer, _)) => Ok(bearer.clone()),
                None => Err(format!("no token of service account {SERVICE_ACCOUNT}: {error}")),
            },
        }
    }

    async fn request(&self) -> Result<HeaderValue, String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.source.client.clone(), &self.source.namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(VALIDITY), ..TokenRequestSpec::default() };
        let request = TokenRequest { metadata: ObjectMeta::default(), spec, status: None };
        let parameters = PostParams::default();
        let answer = timeout(PATIENCE, accounts.create_token_request(SERVICE_ACCOUNT, &parameters, &request)).await;
        let answer = answer.map_err(|_| format!("no answer within {} seconds", PATIENCE.as_secs()))?;
        let given = answer.map_err(|error| error.to_string())?.status.ok_or("the answer holds none")?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", given.token)).map_err(|_| "it is none")?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }
}
