/** What a login gave. */
export interface Login {
  token?: string;
  /** PEM. */
  cert?: string;
  /** PEM. */
  key?: string;
}

/**
 * Logs in by the plug-in that a kubeconfig names (`exec` commands, `auth-provider`), through `@kubernetes/client-node`,
 * loaded at the first call. It keeps what the plug-in gave until that expires.
 *
 * @returns a function; `again` forgets what was kept (the server said 401)
 */
export function pluginLogin(o: { text: string; context: string; base: string }): (again: boolean) => Promise<Login> {
  let config: Promise<{ applyToHTTPSOptions(opts: object): Promise<void> }> | undefined;
  const load = async () => {
    const { KubeConfig } = await import('@kubernetes/client-node');
    const loaded = new KubeConfig();
    loaded.loadFromString(o.text);
    loaded.setCurrentContext(o.context);
    loaded.makePathsAbsolute(o.base);
    return loaded;
  };
  return async (again) => {
    if (again) config = undefined;
    config ??= load();
    const options: { headers?: Record<string, string>; cert?: string | Buffer; key?: string | Buffer } = {};
    try {
      await (await config).applyToHTTPSOptions(options);
    } catch (cause) {
      config = undefined;
      // The plug-in's own output may hold credentials: only the kind of failure is passed on.
      throw new Error(
        `login by plug-in of context "${o.context}" failed (${(cause as Error).name}); run it by hand to see why`,
      );
    }
    const login: Login = {};
    const bearer = options.headers?.Authorization?.match(/^Bearer (.+)$/)?.[1];
    if (bearer) login.token = bearer;
    if (options.cert) login.cert = options.cert.toString();
    if (options.key) login.key = options.key.toString();
    return login;
  };
}
