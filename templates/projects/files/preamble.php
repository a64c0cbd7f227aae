<?php
// Phorge includes this before anything else. Only the ingress reaches this pod (network.yaml): what
// it says of the client is true.
preamble_trust_x_forwarded_for_header();
if (isset($_SERVER['HTTP_X_FORWARDED_PROTO']) && $_SERVER['HTTP_X_FORWARDED_PROTO'] === 'https') {
    $_SERVER['HTTPS'] = true;
}
