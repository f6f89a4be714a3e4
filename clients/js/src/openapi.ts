// Made by `npm run generate` from openapi.json. Change it there.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export type components = {
    schemas: {
        /**
         * @description The refusal's word for programs. It does not change.
         * @enum {string}
         */
        Code: "malformed_body" | "missing_credentials" | "malformed_request" | "invalid_request" | "invalid_idempotency_key" | "invalid_fields" | "invalid_password" | "not_authenticated" | "token_prefix_missing" | "token_expired" | "token_invalid" | "session_ended" | "user_inactive" | "invalid_credentials" | "refresh_token_invalid" | "refresh_token_expired" | "refresh_token_reused" | "origin_not_allowed" | "csrf_failed" | "permission_denied" | "body_delivery_not_for_browsers" | "too_many_rights" | "wrong_password" | "not_found" | "method_not_allowed" | "request_timeout" | "body_too_large" | "unsupported_media_type" | "throttled" | "headers_too_large" | "internal_error" | "overloaded" | "unavailable";
        /** @description The CSRF token after a reload. */
        Csrf: {
            /** @description The CSRF token of the session whose refresh cookie came along. */
            csrf_token: string;
        };
        /** @description A JSON Web Key Set (RFC 7517). */
        KeySet: {
            /** @description The keys that verify access tokens now, and those that soon will. */
            keys: {
                /**
                 * @description The one algorithm that it verifies.
                 * @enum {string}
                 */
                alg: "EdDSA" | "ES256" | "RS256";
                /**
                 * @description The curve of an `OKP` or `EC` key.
                 * @enum {string}
                 */
                crv?: "Ed25519" | "P-256";
                /** @description The exponent of an `RSA` key. */
                e?: string;
                /** @description Its name, which a token's header repeats. */
                kid: string;
                /**
                 * @description Its type.
                 * @enum {string}
                 */
                kty: "OKP" | "EC" | "RSA";
                /** @description The modulus of an `RSA` key. */
                n?: string;
                /** @constant */
                use: "sig";
                /** @description The public key of an `OKP` key; of an `EC` key, its first coordinate. */
                x?: string;
                /** @description The second coordinate of an `EC` key. */
                y?: string;
            }[];
        };
        /** @description What a login takes. */
        Login: {
            /** @description The password, exactly as it was chosen. */
            password: string;
            /**
             * @description Whether the cookies may outlive the browser's window. If not, they end with it, and after 12 hours at most.
             * @default true
             */
            remember?: boolean;
            /**
             * @description `cookie` for browsers, `body` for clients with a secure storage of their own.
             * @default cookie
             * @enum {string}
             */
            token_delivery?: "cookie" | "body";
            /** @description The user name or, with `login_with_email`, the e-mail address. */
            username: string;
        };
        /** @description What a change of password takes. */
        PasswordChange: {
            /** @description The new one: 15 to 1024 characters by default, not a known common one, not like the user's own attributes. */
            new_password: string;
            /** @description The current password. */
            old_password: string;
        };
        /**
         * @description A refusal: problem details (RFC 9457).
         * @example {
         *       "code": "token_expired",
         *       "detail": "access_token expired",
         *       "status": 401,
         *       "title": "Unauthorized",
         *       "type": "about:blank"
         *     }
         */
        Problem: {
            code: components["schemas"]["Code"];
            /** @description A sentence for a person. It may change. */
            detail: string;
            /** @description What is wrong with which field of the body: sentences for a person. */
            errors?: {
                [key: string]: string[];
            };
            /** @description The status. */
            status: number;
            /** @description The status in words. */
            title: string;
            /**
             * Format: uri-reference
             * @description Always `about:blank`: look at `code`.
             */
            type: string;
        };
        /** @description The answer to a profile request. */
        Profile: {
            /** @description The user. */
            user: components["schemas"]["User"];
        };
        /** @description What of the profile is to be changed; what is left out stays. */
        ProfileChange: {
            /** @description A new e-mail address; needs `password` beside it. */
            email?: string;
            /** @description A new first name. */
            first_name?: string;
            /** @description A new last name. */
            last_name?: string;
            /** @description The current password, when `email` changes. */
            password?: string;
        };
        /** @description What a refresh and a logout take, with body delivery only. */
        RefreshToken: {
            /** @description The refresh token. */
            refresh_token?: string;
        };
        /** @description A session. */
        Session: {
            /**
             * Format: date-time
             * @description When the user logged in.
             */
            created_at: string;
            /** @description Whether it is the session of this very request. */
            current: boolean;
            /**
             * Format: date-time
             * @description When it ends if it is not used any more.
             */
            expires_at: string;
            /** @description The id, to end it by. */
            id: string;
            /** @description Where it was last refreshed from. */
            ip: string | null;
            /**
             * Format: date-time
             * @description When it was last refreshed.
             */
            last_used_at: string;
            /** @description What the client called itself there. */
            user_agent: string | null;
        };
        /** @description A user's live sessions, newest first. */
        Sessions: {
            /** @description The sessions. */
            sessions: components["schemas"]["Session"][];
        };
        Status: {
            /** @description Of `/readyz`, where the clocks of this machine and of its database differ by more than two seconds: how far the database's, which counts, is ahead. */
            database_clock_ahead_ms?: number;
            /** @enum {string} */
            status: "ok" | "ready";
        };
        /** @description What a login and a refresh answer. */
        Tokens: {
            /** @description The access token, a JWT: keep it in memory, and send it as `Authorization: Bearer …`. */
            access_token: string;
            /** @description The CSRF token: send it in the `X-CSRFTOKEN` header with every unsafe request. Not with body delivery. */
            csrf_token?: string;
            /**
             * Format: uint32
             * @description How many seconds the access token lives from now.
             */
            expires_in: number;
            /** @description The refresh token, with body delivery only: keep it in the platform's secure storage. */
            refresh_token?: string;
            /**
             * @description Always `Bearer`.
             * @constant
             */
            token_type: "Bearer";
            /** @description The user. */
            user: components["schemas"]["User"];
        };
        /** @description A user, as they see themselves. Declared custom fields stand beside these members. */
        User: {
            /** @description The e-mail address; may be empty. */
            email: string;
            /** @description The first name; may be empty. */
            first_name: string;
            /**
             * Format: int64
             * @description The id, never used twice.
             */
            id: number;
            /** @description Whether the user may log in. */
            is_active: boolean;
            /** @description The last name; may be empty. */
            last_name: string;
            /** @description The user name. */
            username: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
