//! Kubelet's plugin registration: how kubelet learns of the driver.
//!
//! Kubelet watches its `plugins_registry`, calls the socket that appears there, and then speaks to the endpoint that
//! it is told. After a restart of either side it does so again by itself.

use std::path::PathBuf;

use tonic::{Request, Response, Status};

use super::proto::registration::registration_server::Registration;
use super::proto::registration::{InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse};

/// What kubelet is told.
#[derive(Debug)]
pub(crate) struct RegistrationService {
    /// The driver's name.
    pub(crate) name: String,
    /// The socket of the driver proper, as kubelet sees it.
    pub(crate) endpoint: PathBuf,
}

#[tonic::async_trait]
impl Registration for RegistrationService {
    async fn get_info(&self, _request: Request<InfoRequest>) -> Result<Response<PluginInfo>, Status> {
        Ok(Response::new(PluginInfo {
            r#type: "CSIPlugin".to_owned(),
            name: self.name.clone(),
            endpoint: self.endpoint.display().to_string(),
            supported_versions: vec!["1.0.0".to_owned()],
        }))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Result<Response<RegistrationStatusResponse>, Status> {
        let status = request.into_inner();
        if status.plugin_registered {
            tracing::info!(driver = self.name, "kubelet has registered the driver");
        } else {
            tracing::error!(driver = self.name, error = status.error, "kubelet refused the driver; it will try again");
        }
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}
