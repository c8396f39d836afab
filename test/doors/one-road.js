// ESLint rule for door 3: nothing but runtime/guard.ts touches FunctionProvider.invoke or SandboxDriver.run.
// It asks the type checker, not the name: a run of the Store is no sandbox, a driver under any other type is one.
// Reading the method is enough to be refused (`const go = driver.run`), and so is destructuring it.

const GUARDED = { invoke: 'FunctionProvider', run: 'SandboxDriver' };
const PORTS = /\/src\/runtime\/ports\.ts$/;

/** Method name -> { port type, the symbol it is declared as }, per program. */
const portsOf = new WeakMap();

function ports(program) {
  let found = portsOf.get(program);
  if (found === undefined) {
    const checker = program.getTypeChecker();
    const file = program.getSourceFiles().find((source) => PORTS.test(source.fileName));
    const module = file && checker.getSymbolAtLocation(file);
    const exported = module ? checker.getExportsOfModule(module) : [];
    found = new Map();
    for (const [method, name] of Object.entries(GUARDED)) {
      const symbol = exported.find((candidate) => candidate.name === name);
      const type = symbol && checker.getDeclaredTypeOfSymbol(symbol);
      const declared = type?.getProperty(method);
      if (declared !== undefined) found.set(method, { type, declaration: declared.declarations?.[0] });
    }
    portsOf.set(program, found);
  }
  return found;
}

/** True when a value of `type` is, contains or derives from the port whose method is asked for. */
function isPort(checker, type, method, port) {
  const parts = type.isUnionOrIntersection() ? [type, ...type.types] : [type];
  return parts.some((part) => {
    const known = checker.getApparentType(part);
    const property = known.getProperty(method);
    if (property === undefined) return false;
    return property.declarations?.includes(port.declaration) || checker.isTypeAssignableTo(known, port.type);
  });
}

export default {
  meta: {
    type: 'problem',
    docs: { description: 'only runtime/guard.ts may call a function provider or a sandbox driver' },
    schema: [],
    messages: {
      road: '{{port}}.{{method}} is called by runtime/guard.ts only: authorize, ceilings, approval and intent come first',
      blind: 'src/runtime/ports.ts declares no {{port}}.{{method}}: this rule would see nothing, mend it',
    },
  },
  create(context) {
    const services = context.sourceCode.parserServices;
    const checker = services.program.getTypeChecker();
    const known = ports(services.program);

    function check(node, object, method) {
      const port = known.get(method);
      if (port === undefined) return;
      const type = services.getTypeAtLocation(object);
      if (isPort(checker, type, method, port)) {
        context.report({ node, messageId: 'road', data: { port: GUARDED[method], method } });
      }
    }

    return {
      Program(node) {
        for (const [method, port] of Object.entries(GUARDED)) {
          if (!known.has(method)) context.report({ node, messageId: 'blind', data: { port, method } });
        }
      },
      MemberExpression(node) {
        // A driver's own `this.run` is inside the driver.
        if (node.object.type === 'ThisExpression') return;
        const name = node.computed ? node.property.value : node.property.name;
        if (typeof name === 'string') check(node, node.object, name);
      },
      ObjectPattern(node) {
        for (const property of node.properties) {
          if (property.type !== 'Property') continue;
          const name = property.key.type === 'Literal' ? property.key.value : property.key.name;
          if (typeof name === 'string' && (!property.computed || property.key.type === 'Literal')) {
            check(property, node, name);
          }
        }
      },
    };
  },
};
