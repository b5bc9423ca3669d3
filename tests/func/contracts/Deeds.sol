// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract Deeds is ERC721, Ownable {
    constructor(address owner) ERC721("Deeds", "DEED") Ownable(owner) {}

    function mint(address to, uint256 id) external onlyOwner {
        _safeMint(to, id);
    }
}

/// What a delegated account runs: only the account itself may ask.
contract Account {
    error NotTheAccount(address asked);

    function execute(address[] calldata to, bytes[] calldata data) external {
        if (msg.sender != address(this)) revert NotTheAccount(msg.sender);
        for (uint256 i = 0; i < to.length; i++) {
            (bool ok, bytes memory returned) = to[i].call(data[i]);
            if (!ok) assembly ("memory-safe") { revert(add(returned, 32), mload(returned)) }
        }
    }
}
