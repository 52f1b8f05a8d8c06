/**
 * A certificate for `localhost` that signs itself, for servers of tests on loopback. It protects nothing; it is here so that
 * tests need no program that makes one. Valid until 2126.
 */

export const localhostKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg95nwm2+FaIQX0M9L
KubJpb4A9bi7WEStq02qxDAPEs6hRANCAAQ6kzmBPO5EHvb2tafb5x0g8/W4OMKF
Oo8vR9ePGwRLjtlAETKDBEslIHQpYAkD8w29dPkZhLJVATkl0owT3fJR
-----END PRIVATE KEY-----
`;

export const localhostCertificate = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUfM1BUJ+3CV7OTBks3jPfoRZTZpowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEzMDE0MTkyM1oYDzIxMjYxMTA2
MTQxOTIzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ6kzmBPO5EHvb2tafb5x0g8/W4OMKFOo8vR9ePGwRLjtlAETKDBEsl
IHQpYAkD8w29dPkZhLJVATkl0owT3fJRo2kwZzAdBgNVHQ4EFgQUKP6wuFKgNAyn
r46aRiBMSLjtonowHwYDVR0jBBgwFoAUKP6wuFKgNAynr46aRiBMSLjtonowDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhALIvI3CFg39ZJ4fq+Mrap2z+9m9Hqart445N0MqQKGkdAiAamRnO7s8J
PZRAkTVMXU8jrTKiXQ6fOGlJfEVvCBqLww==
-----END CERTIFICATE-----
`;
