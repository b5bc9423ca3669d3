// A plugin for web3.js 4 that adds transactions of type 4 (EIP-7702): web3 registers further types with its TransactionFactory. The
// type is derived from web3's own base class; encoding and signatures are @ethereumjs/tx's, which knows the final EIP.
import { Hardfork, Mainnet, createCustomCommon } from "../node_modules/@ethereumjs/common/dist/esm/index.js";
import { createEOACode7702Tx, createEOACode7702TxFromRLP } from "../node_modules/@ethereumjs/tx/dist/esm/index.js";
import { bytesToHex, eoaCode7702SignAuthorization, hexToBytes } from "../node_modules/@ethereumjs/util/dist/esm/index.js";
import { parseTransaction } from "viem";
import { Web3PluginBase } from "web3";
import { BaseTransaction, TransactionFactory } from "web3-eth-accounts";

const TYPE = 4;
export const commonOf = (chainId) => createCustomCommon({ chainId: Number(chainId) }, Mainnet, { hardfork: Hardfork.Prague });

/** What web3 sees of such a transaction; `inner` is @ethereumjs/tx's. */
class SetCodeTransaction extends BaseTransaction {
  constructor(inner, opts = {}) {
    const { nonce, gasLimit, value, data, v, r, s } = inner;
    super({ nonce, gasLimit, to: inner.to?.toString(), value, data, v, r, s, type: TYPE }, opts);
    this.inner = inner;
  }

  static fromSerializedTx(bytes, opts) {
    const { chainId } = parseTransaction(bytesToHex(bytes));
    return new SetCodeTransaction(createEOACode7702TxFromRLP(bytes, { common: commonOf(chainId) }), opts);
  }

  serialize() {
    return this.inner.serialize();
  }

  hash() {
    return this.inner.hash();
  }

  toJSON() {
    return this.inner.toJSON();
  }

  getSenderPublicKey() {
    return this.inner.getSenderPublicKey();
  }

  isSigned() {
    return this.inner.isSigned();
  }
}

export class SetCodePlugin extends Web3PluginBase {
  pluginNamespace = "setCode";

  constructor() {
    super();
    TransactionFactory.registerTransactionType(TYPE, SetCodeTransaction);
  }

  authorize({ chainId, address, nonce }, key) {
    const quantity = (n) => `0x${BigInt(n).toString(16)}`;
    return eoaCode7702SignAuthorization({ chainId: quantity(chainId), address: address.toLowerCase(), nonce: quantity(nonce) }, hexToBytes(key));
  }

  sign(fields, key) {
    const tx = createEOACode7702Tx(fields, { common: commonOf(fields.chainId) });
    return bytesToHex(tx.sign(hexToBytes(key)).serialize());
  }
}
