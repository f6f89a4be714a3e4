// What the recipes use of frameworks that are too large to be installed for a test.

declare const process: { env: Record<string, string | undefined> };

declare module '@sveltejs/kit' {
  interface RequestEvent {
    request: Request;
    locals: { accessToken?: string | undefined };
    getClientAddress(): string;
  }
  type Handle = (input: {
    event: RequestEvent;
    resolve(event: RequestEvent): Response | Promise<Response>;
  }) => Response | Promise<Response>;
}

declare module 'next/server' {
  class NextRequest extends Request {}
  class NextResponse extends Response {
    static next(init?: { request?: { headers?: Headers } }): NextResponse;
  }
}
