//! Whether the images are those that the Platform names, and those of the version.

use super::conditions::ConditionUpdate;
use crate::api::ConditionType;
use crate::resolve::ImageNotice;

/// Condition `ImageDiffers`, while there is something to say.
pub(super) fn image_differs(notices: &[ImageNotice]) -> Option<ConditionUpdate> {
    let messages: Vec<String> = notices.iter().map(ToString::to_string).collect();
    let first = notices.first()?;
    Some(ConditionUpdate::new(ConditionType::ImageDiffers, true, first.reason, messages.join("; ")))
}
