<?php

// The classes that a package's own scripts use to make people and ways to sign in.

final class PhabricatorUser extends Record {
    const TABLE = '{user}.user';
    const COLUMNS = ['userName', 'realName', 'isAdmin', 'isApproved', 'isDisabled', 'isSystemAgent'];
    const PHID = 'USER';
}

final class PhabricatorUserEmail extends Record {
    const TABLE = '{user}.user_email';
    const COLUMNS = ['userPHID', 'address', 'isVerified', 'isPrimary'];
    const PHID = 'EADR';
}

final class PhabricatorUserEditor {
    function setActor(PhabricatorUser $actor): static {
        return $this;
    }

    function createNewUser(PhabricatorUser $user, PhabricatorUserEmail $email): static {
        if ($user->getID()) {
            throw new Exception('User has already been created!');
        }
        Database::connection()->begin_transaction();
        $user->save();
        $email->setUserPHID($user->getPHID())->setIsPrimary(1)->save();
        Database::connection()->commit();
        return $this;
    }
}

final class PhutilOpaqueEnvelope {
    function __construct(private readonly string $secret) {
    }

    function openEnvelope(): string {
        return $this->secret;
    }
}

final class PhabricatorAuthPassword extends Record {
    const TABLE = '{auth}.auth_password';
    const COLUMNS = ['objectPHID', 'passwordType', 'passwordHash', 'isRevoked'];
    const PHID = 'APAS';
    const PASSWORD_TYPE_ACCOUNT = 'account';

    static function initializeNewPassword(PhabricatorUser $user, string $type): static {
        return (new self())->setObjectPHID($user->getPHID())->setPasswordType($type)->setIsRevoked(0);
    }

    function setPassword(PhutilOpaqueEnvelope $password, PhabricatorUser $user): static {
        return $this->setPasswordHash('bcrypt:'.password_hash($password->openEnvelope(), PASSWORD_BCRYPT));
    }

    function comparePassword(PhutilOpaqueEnvelope $password, PhabricatorUser $user): bool {
        return password_verify($password->openEnvelope(), substr($this->getPasswordHash(), 7));
    }
}

final class PhabricatorAuthProviderConfig extends Record {
    const TABLE = '{auth}.auth_providerconfig';
    const COLUMNS = [
        'providerClass', 'providerType', 'providerDomain', 'isEnabled', 'shouldAllowLogin', 'shouldAllowRegistration',
        'shouldAllowLink', 'shouldAllowUnlink', 'shouldTrustEmails', 'shouldAutoLogin', 'properties',
    ];
    const PHID = 'AUTH';

    function setProperty(string $key, $value): static {
        $properties = json_decode($this->row['properties'] ?? '{}', true);
        $properties[$key] = $value;
        $this->row['properties'] = json_encode($properties);
        return $this;
    }
}

// Parents of the classes in src/extensions: they are loaded, nothing of them runs here.
abstract class PhutilAuthAdapter {
}

abstract class PhutilOAuthAuthAdapter extends PhutilAuthAdapter {
}

abstract class PhabricatorAuthProvider {
}

abstract class PhabricatorOAuth2AuthProvider extends PhabricatorAuthProvider {
}
