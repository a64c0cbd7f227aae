<?php
// Sign-in by OpenID Connect: Phorge has adapters for single providers, and none for the protocol.
// The authorization code flow of OAuth 2.0; endpoints from the issuer's discovery document; who the
// person is from the userinfo endpoint, asked over TLS with the token that the issuer gave us, so
// that no signature of ours has to be checked. Settings are files: /settings (a ConfigMap) and /oidc
// (a Secret with client-id and client-secret), read at each use; a change of them restarts nothing.

final class CommonsCloudOpenIDAuthAdapter extends PhutilOAuthAuthAdapter {

    /** Seconds that a discovery document is kept. */
    const KEPT = 3600;

    public function getAdapterType() {
        return 'openid';
    }

    public function getAdapterDomain() {
        return 'commonscloud';
    }

    public static function setting($name) {
        $path = "/settings/$name";
        return is_file($path) ? trim(file_get_contents($path)) : '';
    }

    public static function secret($name) {
        return trim((string)@file_get_contents("/oidc/$name"));
    }

    public function getScope() {
        return implode(' ', array_unique(array('openid', 'email', 'profile', self::setting('oidc_groups_claim'))));
    }

    // `sub` is unique for one issuer only.
    public function getAccountID() {
        return self::setting('oidc_issuer').'#'.$this->getOAuthAccountData('sub');
    }

    public function getAccountName() {
        return $this->getOAuthAccountData('preferred_username');
    }

    public function getAccountEmail() {
        // An address that the issuer has not verified would take over somebody else's account.
        return $this->getOAuthAccountData('email_verified') ? $this->getOAuthAccountData('email') : null;
    }

    public function getAccountRealName() {
        return $this->getOAuthAccountData('name');
    }

    protected function getAuthenticateBaseURI() {
        return $this->endpoint('authorization_endpoint');
    }

    protected function getTokenBaseURI() {
        return $this->endpoint('token_endpoint');
    }

    public function getExtraAuthenticateParameters() {
        return array('response_type' => 'code');
    }

    public function getExtraTokenParameters() {
        return array('grant_type' => 'authorization_code');
    }

    protected function loadOAuthAccountData() {
        $future = id(new HTTPSFuture($this->endpoint('userinfo_endpoint')))
            ->addHeader('Authorization', 'Bearer '.$this->getAccessToken())
            ->setTimeout(15);
        list($body) = $future->resolvex();
        $claims = phutil_json_decode($body);
        if (empty($claims['sub'])) {
            throw new Exception('The identity provider did not say who signed in.');
        }
        $this->requireGroup($claims);
        return $claims;
    }

    // Belonging to the Entity does not give access by itself: without a group nobody is let in.
    private function requireGroup(array $claims) {
        $allowed = array_filter(explode("\n", self::setting('oidc_groups')), 'strlen');
        $groups = idx($claims, self::setting('oidc_groups_claim'), array());
        if (!array_intersect($allowed, is_array($groups) ? $groups : array($groups))) {
            throw new Exception('You are in none of the groups that may enter here.');
        }
    }

    private function endpoint($name) {
        $endpoint = idx($this->discovery(), $name);
        if (!is_string($endpoint) || strncmp($endpoint, 'https://', 8) !== 0) {
            throw new Exception("The identity provider's discovery document has no $name over https.");
        }
        return $endpoint;
    }

    private function discovery() {
        $issuer = self::setting('oidc_issuer');
        $kept = '/tmp/openid-'.md5($issuer).'.json';
        if (@filemtime($kept) > time() - self::KEPT) {
            return phutil_json_decode(file_get_contents($kept));
        }
        $uri = rtrim($issuer, '/').'/.well-known/openid-configuration';
        list($body) = id(new HTTPSFuture($uri))->setTimeout(15)->resolvex();
        $discovery = phutil_json_decode($body);
        if (idx($discovery, 'issuer') !== $issuer) {
            throw new Exception("The discovery document at $uri is another issuer's.");
        }
        $new = $kept.'.'.getmypid();
        file_put_contents($new, $body);
        rename($new, $kept);
        return $discovery;
    }

}

final class CommonsCloudOpenIDAuthProvider extends PhabricatorOAuth2AuthProvider {

    // On the button: whom people know is the provider, not the protocol.
    public function getProviderName() {
        $host = parse_url(CommonsCloudOpenIDAuthAdapter::setting('oidc_issuer'), PHP_URL_HOST);
        return $host ? $host : 'OpenID Connect';
    }

    public function getDescriptionForCreate() {
        return 'OpenID Connect, as this platform configures it.';
    }

    protected function getProviderConfigurationHelp() {
        return 'Set spec.parameters.oidc of the instance; nothing is kept here.';
    }

    protected function newOAuthAdapter() {
        return new CommonsCloudOpenIDAuthAdapter();
    }

    // The client's secret stays in its file; the database does not know it.
    protected function configureAdapter(PhutilOAuthAuthAdapter $adapter) {
        $adapter->setClientID(CommonsCloudOpenIDAuthAdapter::secret('client-id'));
        $adapter->setClientSecret(new PhutilOpaqueEnvelope(CommonsCloudOpenIDAuthAdapter::secret('client-secret')));
        $adapter->setRedirectURI(PhabricatorEnv::getURI($this->getLoginURI()));
        return $adapter;
    }

}
